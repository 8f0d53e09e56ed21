"""Makes a dead letter of what has failed: a task that ran, a task whose process is gone, a message that is no task."""

import inspect
import time
import traceback
import uuid
from typing import Any

from celery.app.task import Context

from celery_runtime import kinds
from celery_runtime.dead_letters.model import DeadLetter, body_as_text, moment
from celery_runtime.errors.classify import classify
from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.history import HEADER, FailureRecord
from celery_runtime.text import is_name, message_of, shortened

# How often the task has come back from the dead letters: a header of its message.
REQUEUES_HEADER = "dead_letter_requeues"
LONGEST_TRACEBACK = 10_000  # characters


def of_task(
    task: Any,
    request: Any,
    error: BaseException,
    verdict: Verdict | None = None,
    failures: FailureRecord | None = None,
    told: str | None = None,
) -> DeadLetter:
    """Return the entry of a task that has failed for good.

    Args:
        request: the `celery.app.task.Context` of its last run.
        verdict: on the error; that of `classify` where it was not made yet.
        failures: those of the task, this one included, where they were counted already.
        told: the traceback, where the error itself has none any more.
    """
    verdict = verdict or classify(error)
    now = time.time()
    if failures is None:
        failures = FailureRecord.read(request.headers)
        failures.add(verdict.kind, now)
    return DeadLetter(
        id=request.id,
        task=task.name,
        kind=verdict.kind,
        code=verdict.code,
        origin=verdict.origin,
        message=message_of(error),
        traceback=shortened(told or _formatted(error), LONGEST_TRACEBACK),
        attempts=(request.retries or 0) + failures.count(),
        attempts_by_kind={kind: count for kind, (count, _) in failures.by_kind.items()},
        first_failure=moment(failures.first),
        last_failure=moment(now),
        worker=request.hostname,
        queue=_queue(task.app, request.delivery_info),
        priority=(request.delivery_info or {}).get("priority"),
        requeues=_requeues(request.headers),
        parameters=_parameters(task),
        signature=_signature(task.name, request),
    )


def of_message(app: Any, message: Any, kind: str, problem: str, worker: str | None) -> DeadLetter:
    """Return the entry of a message that a worker turns away.

    Args:
        message: a `kombu.Message` whose headers may be anything.
        kind: one of those of `message` in kinds.py.
        problem: what is wrong with it, for people.
        worker: the node name of the worker.
    """
    headers = message.headers if isinstance(message.headers, dict) else {}
    properties = message.properties if isinstance(message.properties, dict) else {}
    priority = properties.get("priority")
    signature = _signature_of_message(message) if kind == kinds.UNKNOWN_TASK else None
    return _turned_away(
        kind,
        problem,
        worker,
        id=_name(headers.get("id")) or str(uuid.uuid4()),
        task=_name(headers.get("task")),
        queue=_queue(app, message.delivery_info),
        priority=priority if isinstance(priority, int) else None,
        requeues=_requeues(headers),
        signature=signature,
        raw=None if signature else _raw(message),
    )


def of_bytes(item: bytes, queue: str, problem: str, worker: str | None) -> DeadLetter:
    """Return the entry of something in the list of a queue that is no message at all."""
    raw = body_as_text(item)
    return _turned_away(
        kinds.MALFORMED, problem, worker, id=str(uuid.uuid4()), task=None, queue=queue, raw=raw
    )


def _turned_away(kind: str, problem: str, worker: str | None, **known: Any) -> DeadLetter:
    now = moment(time.time())
    return DeadLetter(
        kind=kind, message=problem, attempts=0, first_failure=now, last_failure=now, worker=worker, **known
    )


def _formatted(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - notes and attributes of an exception can be anything
        return "".join(traceback.format_tb(error.__traceback__))


def _requeues(headers: Any) -> int:
    count = headers.get(REQUEUES_HEADER) if isinstance(headers, dict) else None
    return count if isinstance(count, int) and count > 0 else 0


def _parameters(task: Any) -> list[str]:
    try:
        parameters = inspect.signature(task.run).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _queue(app: Any, delivery_info: Any) -> str | None:
    """Return the name of the queue that takes what is published so, None where that cannot be told."""
    if not isinstance(delivery_info, dict):
        return None
    exchange, key = delivery_info.get("exchange"), delivery_info.get("routing_key")
    for queue in app.amqp.queues.values():
        if (queue.exchange.name, queue.routing_key) == (exchange, key):
            return str(queue.name)
    return _name(key)  # published to the queue by its name


def _signature(name: str, request: Context) -> dict[str, Any]:
    options = {**request.as_execution_options(), "ignore_result": vars(request).get("ignore_result")}
    headers = {key: value for key, value in (options.pop("headers") or {}).items() if key != HEADER}
    del options["retries"]
    return {
        "task": name,
        "args": list(request.args or ()),
        "kwargs": dict(request.kwargs or {}),
        "options": {
            **{key: value for key, value in options.items() if value is not None},
            **({"headers": headers} if headers else {}),
        },
    }


def _signature_of_message(message: Any) -> dict[str, Any] | None:
    """Return the signature of a message whose task is not known here, None for one of Celery 3."""
    headers = message.headers
    if "task" not in headers:
        return None
    args, kwargs, embed = message.payload
    stated = {key: value for key, value in headers.items() if key not in ("argsrepr", "kwargsrepr")}
    reply_to = message.properties.get("reply_to")
    request = Context({**stated, **(embed or {}), "args": args, "kwargs": kwargs}, reply_to=reply_to)
    return _signature(headers["task"], request)


def _raw(message: Any) -> dict[str, Any]:
    headers = message.headers
    if isinstance(headers, dict):
        # The first two repeat the arguments as text; the last told of a body that was read since.
        left_out = ("argsrepr", "kwargsrepr", "compression")
        headers = {name: value for name, value in headers.items() if name not in left_out}
    body = message.body
    if not isinstance(body, bytes | str | None):
        body = repr(body)
    return {
        **body_as_text(body),
        "headers": headers,
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
    }


def _name(value: Any) -> str | None:
    return value if is_name(value) else None
