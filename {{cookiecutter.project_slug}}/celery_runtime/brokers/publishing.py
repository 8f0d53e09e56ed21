"""Publishes tasks: each with a priority, and with an error that names the server where one is away.

Runs in: every process that publishes. Source: celery/app/amqp.py (`send_task_message`), Celery 5.7.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery.app import amqp
from kombu.common import Broadcast
from kombu.exceptions import OperationalError
from kombu.utils.objects import cached_property

from celery_runtime.brokers import embedded
from celery_runtime.brokers.connection import Connection
from celery_runtime.brokers.priorities import LEVELS, Priority

# Publishing the callbacks of a finished task is tried for about a minute, because nobody would do it later.
FOLLOWING = {"max_retries": 30, "interval_start": 0.2, "interval_step": 0.2, "interval_max": 2.0}


class AMQP(amqp.AMQP):
    """Gives every published task a priority: its own, else its parent's, else NORMAL.

    Every way to publish ends in `send_task_message`, after the options of the call, the task and the routes were
    merged: delay, apply_async, send_task, canvas, callbacks, retries and beat.
    """

    Connection = Connection

    @cached_property
    def send_task_message(self) -> Callable[..., None]:
        send = super().send_task_message

        def send_with_priority(producer: Any, name: str, message: Any, **options: Any) -> None:
            options["priority"] = self._priority(name, message.body, options.get("priority"))
            # RabbitMQ would drop what has expired and tell nobody. The message says it as well: a worker drops it.
            options.pop("expiration", None)
            if isinstance(queue := options.get("queue"), Broadcast):
                # On Redis nobody reads another key, and kombu drops what an exchange gets that it does not know.
                options["routing_key"] = queue.routing_key
                options.setdefault("declare", [queue.exchange])
            if amqp._callback_publish_retry.get():
                options["retry_policy"] = {**FOLLOWING, **(options.get("retry_policy") or {})}
            send(producer, name, message, **options)

        return send_with_priority

    def _priority(self, name: str, body: Any, stated: int | None) -> int:
        if name == "celery.chord_unlock":
            # Celery states 0 for it when the chord's body states nothing, which the body would inherit.
            (_, chord_body), _, _ = body
            stated = chord_body["options"].get("priority")
        if stated is None and (parent := self.app.current_worker_task) is not None:
            stated = (parent.request.delivery_info or {}).get("priority")
        if stated is None:
            stated = Priority.NORMAL
        if stated not in LEVELS:
            raise ValueError(f"priority of {name} must be a whole number from 0 to 9, not {stated!r}")
        return int(stated)


@contextmanager
def explained(app: Any) -> Iterator[None]:
    """Raise an `OperationalError` that names the server that is away, and what to do where it is the embedded one.

    Nothing was published - unless the broker was silent: then it is unknown.
    """
    try:
        yield
    except (OperationalError, OSError, RuntimeError) as error:
        if not isinstance(error, RuntimeError):
            problem = f"the broker at {app.connection_for_write().as_uri()} did not take the task: {error}"
        elif error.__cause__ is not None:  # of Celery's Redis backend, which subscribes to the result first
            problem = f"the results at {app.backend.as_uri()} cannot be reached: {error.__cause__}"
        else:
            raise
        explanation = OperationalError(problem)
        if hint := embedded.hint(app.conf, "broker", "results"):
            explanation.add_note(hint)
        raise explanation from error
