"""One meaning of priority on every broker: 0 to 9, larger is more urgent, unset is NORMAL.

RabbitMQ serves the largest number first; kombu's Redis transport serves the smallest first, which
`redis_transport.py` turns. The numbers on the wire stay the same on both.

Source: celery/app/amqp.py (`send_task_message`), Celery 5.7.
"""

import enum
from collections.abc import Callable
from typing import Any

from celery.app import amqp
from kombu import Exchange, Queue
from kombu.utils.objects import cached_property

LEVELS = tuple(range(10))
# What follows a task that is done is published for about a minute: nobody would publish it again.
FOLLOWING = {"max_retries": 30, "interval_start": 0.2, "interval_step": 0.2, "interval_max": 2.0}


class Priority(enum.IntEnum):
    """Names for the usual priorities; any whole number from 0 to 9 is allowed."""

    LOW = 2
    NORMAL = 5
    HIGH = 7
    CRITICAL = 9


def priority_queue(name: str, **options: Any) -> Queue:
    """Return a durable queue that orders its messages by priority on both brokers.

    It has an exchange and a routing key of its own name: two queues that share them would each get
    a copy of every message. `options` are those of `kombu.Queue`.
    """
    arguments = {"x-max-priority": 10, **options.pop("queue_arguments", {})}
    return Queue(name, Exchange(name), routing_key=name, queue_arguments=arguments, **options)


class AMQP(amqp.AMQP):
    """Gives every published task a priority: its own, else its parent's, else NORMAL.

    It also keeps RabbitMQ from dropping what has expired, of which nobody would be told: a worker does it.

    Every way to publish ends in `send_task_message`, after the options of the call, the task and
    the routes were merged: delay, apply_async, send_task, canvas, callbacks, retries and beat.
    """

    @cached_property
    def send_task_message(self) -> Callable[..., None]:
        send = super().send_task_message

        def send_with_priority(producer: Any, name: str, message: Any, **options: Any) -> None:
            options["priority"] = self._priority(name, message.body, options.get("priority"))
            options.pop("expiration", None)  # the message says as well when it expires
            if amqp._callback_publish_retry.get():  # type: ignore[attr-defined]
                options["retry_policy"] = {**FOLLOWING, **(options.get("retry_policy") or {})}
            send(producer, name, message, **options)

        return send_with_priority

    def _priority(self, name: str, body: Any, stated: int | None) -> int:
        if name == "celery.chord_unlock":
            # Celery states 0 for it when the chord's body states nothing, which the body would inherit.
            (_, chord_body), _, _ = body
            stated = chord_body["options"].get("priority")
        if stated is None:
            stated = self._parent_priority()
        if stated is None:
            stated = Priority.NORMAL
        if stated not in LEVELS:
            raise ValueError(f"priority of {name} must be a whole number from 0 to 9, not {stated!r}")
        return int(stated)

    def _parent_priority(self) -> int | None:
        parent = self.app.current_worker_task
        if parent is None:
            return None
        return (parent.request.delivery_info or {}).get("priority")
