"""Publish the task of a dead letter anew."""

import base64
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from celery.utils.time import maybe_make_aware
from kombu import Producer

from celery_runtime.dead_letters.build import REQUEUES_HEADER
from celery_runtime.dead_letters.model import DeadLetter


def obstacle(app: Any, entry: DeadLetter, force: bool) -> str | None:
    """Return why the entry cannot be requeued, None where it can. With `force` it may have been too often."""
    raw = entry.raw or {}
    if entry.signature is None and ("not_json" in raw or not isinstance(raw.get("headers"), dict)):
        return "its message cannot be published again"
    if entry.signature is None and entry.task is None:
        return "its message names no task"
    if entry.queue not in app.amqp.queues:
        return f"the queue {entry.queue!r} is not in queues.py"
    if not force and entry.requeues >= int(app.conf.dead_letter_most_requeues):
        return f"it was requeued {entry.requeues} times already"
    return None


def publish(app: Any, entry: DeadLetter, producer: Producer) -> None:
    """Publish the task with its id and priority, its counters at their beginning.

    `send_task` would also wait for the result in this process.
    """
    _forget_result(app, entry)
    requeues = {REQUEUES_HEADER: entry.requeues + 1}
    if entry.signature is None:
        _publish_raw(app, entry, producer, requeues)
        return
    task, args, kwargs = (entry.signature[name] for name in ("task", "args", "kwargs"))
    options = dict(entry.signature["options"])
    expires = options.get("expires")
    moment = maybe_make_aware(datetime.fromisoformat(expires), app.timezone) if isinstance(expires, str) else None
    if moment and moment <= datetime.now(UTC):
        del options["expires"]  # or a worker would drop it
    headers = {**options.pop("headers", {}), **requeues}
    links = {"callbacks": options.pop("link", None), "errbacks": options.pop("link_error", None)}
    options.pop("task_id", None)
    message = app.amqp.create_task_message(entry.id, task, args, kwargs, **links, **options)
    publishing = {"queue": entry.queue, "priority": entry.priority, "retry": False}
    app.amqp.send_task_message(producer, task, message, headers=headers, **publishing)


def _forget_result(app: Any, entry: DeadLetter) -> None:
    """Forget the failure of the task and of the rest of its chain: a caller is to wait for the next run."""
    steps = entry.signature["options"].get("chain") or [] if entry.signature else []
    with suppress(Exception):  # the backend may be away, or there is none: the dead letter matters more
        for task_id in (entry.id, *(step["options"]["task_id"] for step in steps)):
            app.backend.forget(task_id)
            _forget_unread(app.backend, task_id)


def _forget_unread(backend: Any, task_id: str) -> None:
    """Drop the failure that Redis has sent to this process: it would pass for the result of the next run.

    Source: celery/backends/redis.py (`ResultConsumer`), Celery 5.7.
    """
    consumer: Any = getattr(backend, "result_consumer", None)
    if hasattr(consumer, "_drain_one"):
        with consumer._locked():
            while consumer._pubsub and consumer._drain_one(consumer._pubsub, 0):
                pass
        backend._pending_messages.take(task_id, None)


def _publish_raw(app: Any, entry: DeadLetter, producer: Producer, requeues: dict[str, int]) -> None:
    raw: Any = entry.raw
    queue = app.amqp.queues[entry.queue]
    address = {"exchange": queue.exchange, "routing_key": queue.routing_key, "declare": [queue]}
    content = {name: raw[name] for name in ("content_type", "content_encoding")}
    body = base64.b64decode(raw["body"]) if raw["base64"] else raw["body"].encode()
    headers = {**raw["headers"], **requeues}
    stated = {"priority": entry.priority, "correlation_id": entry.id, "retry": False}
    producer.publish(body, headers=headers, **address, **content, **stated)
