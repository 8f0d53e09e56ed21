"""Build a dead letter: of a task that ran, of one whose process is gone, of a message that is not a task."""

import base64
import inspect
import time
import traceback
import uuid
from datetime import UTC, datetime
from typing import Any

from celery.app.task import Context

from celery_runtime import kinds
from celery_runtime.dead_letters.model import DeadLetter
from celery_runtime.errors.classify import classify
from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.history import HEADER, AttemptHistory
from celery_runtime.text import is_name, message_of, shortened

# The header of a message that counts how often its task was requeued.
REQUEUES_HEADER = "dead_letter_requeues"
LONGEST_TRACEBACK = 10_000  # characters


def of_task(
    task: Any,
    request: Any,
    error: BaseException,
    verdict: Verdict | None = None,
    failures: AttemptHistory | None = None,
    traceback_text: str | None = None,
) -> DeadLetter:
    """Return the entry of a task that has failed for good, by the request of its last run.

    `verdict` and `failures`, this one included, are those that were made already; `traceback_text` is stated
    where the error itself has no traceback any more.
    """
    verdict = verdict or classify(error)
    now = time.time()
    if failures is None:
        failures = AttemptHistory.read(request.headers)
        failures.add(verdict.kind, now)
    first_failure, last_failure = (datetime.fromtimestamp(one, UTC).isoformat() for one in (failures.first, now))
    return DeadLetter(
        id=request.id,
        task=task.name,
        kind=verdict.kind,
        code=verdict.code,
        origin=verdict.origin,
        message=message_of(error),
        traceback=shortened(traceback_text or _formatted(error), LONGEST_TRACEBACK),
        attempts=(request.retries or 0) + failures.count(),
        attempts_by_kind={kind: count for kind, (count, _) in failures.by_kind.items()},
        first_failure=first_failure,
        last_failure=last_failure,
        worker=request.hostname,
        queue=_queue(task.app, request.delivery_info),
        priority=(request.delivery_info or {}).get("priority"),
        requeues=_requeues(request.headers),
        parameters=_parameters(task),
        signature=_signature(task.name, request),
    )


def of_message(app: Any, message: Any, kind: str, problem: str, worker: str | None) -> DeadLetter:
    """Return the entry of a `kombu.Message` that a worker rejects; its headers may be anything."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    priority = message.properties.get("priority") if isinstance(message.properties, dict) else None
    signature = _signature_of_message(message) if kind == kinds.UNKNOWN_TASK else None
    return _rejected(
        kind,
        problem,
        worker,
        id=_name(headers.get("id")),
        task=_name(headers.get("task")),
        queue=_queue(app, message.delivery_info),
        priority=priority if isinstance(priority, int) else None,
        requeues=_requeues(headers),
        signature=signature,
        raw=None if signature else _raw(message),
    )


def of_bytes(item: bytes, queue: str, problem: str, worker: str | None) -> DeadLetter:
    """Return the entry of bytes in the list of a queue that are not a message."""
    return _rejected(kinds.MALFORMED, problem, worker, id=None, task=None, queue=queue, raw=_body_as_text(item))


def _rejected(kind: str, problem: str, worker: str | None, id: str | None, **known: Any) -> DeadLetter:
    known["first_failure"] = known["last_failure"] = datetime.now(UTC).isoformat()
    return DeadLetter(id=id or str(uuid.uuid4()), kind=kind, message=problem, attempts=0, worker=worker, **known)


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
    """Return the name of the queue of a message that was published so, None where it cannot be known."""
    if not isinstance(delivery_info, dict):
        return None
    exchange, key = delivery_info.get("exchange"), delivery_info.get("routing_key")
    queues = app.amqp.queues.values()
    fitting = (str(one.name) for one in queues if (one.exchange.name, one.routing_key) == (exchange, key))
    return next(fitting, _name(key))  # by default a queue is published to by its name


def _signature(name: str, request: Context) -> dict[str, Any]:
    options = {**request.as_execution_options(), "ignore_result": vars(request).get("ignore_result")}
    options["headers"] = {key: value for key, value in (options["headers"] or {}).items() if key != HEADER} or None
    del options["retries"]
    return {
        "task": name,
        "args": list(request.args or ()),
        "kwargs": dict(request.kwargs or {}),
        "options": {key: value for key, value in options.items() if value is not None},
    }


def _signature_of_message(message: Any) -> dict[str, Any] | None:
    """Return the signature of a message of an unknown task, None for one of Celery 3."""
    headers = message.headers
    if "task" not in headers:
        return None
    args, kwargs, embed = message.payload
    reply_to = message.properties.get("reply_to")
    request = Context({**headers, **(embed or {}), "args": args, "kwargs": kwargs}, reply_to=reply_to)
    return _signature(headers["task"], request)


def _raw(message: Any) -> dict[str, Any]:
    headers = message.headers
    if isinstance(headers, dict):
        # The first two repeat the arguments as text; the last describes a body that was read since.
        left_out = ("argsrepr", "kwargsrepr", "compression")
        headers = {name: value for name, value in headers.items() if name not in left_out}
    body = message.body if isinstance(message.body, bytes | str | None) else repr(message.body)
    content = {name: getattr(message, name) for name in ("content_type", "content_encoding")}
    return {**_body_as_text(body), "headers": headers, **content}


def _body_as_text(body: bytes | str | None) -> dict[str, Any]:
    """Return a body for `raw`: as it is where it is text, else in base64."""
    if not isinstance(body, bytes):
        return {"body": body or "", "base64": False}
    try:
        return {"body": body.decode(), "base64": False}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "base64": True}


def _name(value: Any) -> str | None:
    return value if is_name(value) else None
