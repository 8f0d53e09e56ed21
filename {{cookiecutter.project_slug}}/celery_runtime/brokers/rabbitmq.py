"""The RabbitMQ that is the broker, asked for more than messages."""

import hashlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import amqp

from celery_runtime.brokers import CRASH_NOTES, DEAD_LETTERS, DUE, NOTES_KEPT, BrokerError, Depth, rabbitmq_delays
from celery_runtime.brokers.connection import by_connection, connected
from celery_runtime.brokers.priorities import LEVELS

SILENCE = 5.0  # seconds in which the server must have answered
MOST_TAKEN = 10_000  # messages; above it only the sum of a queue is told


class RabbitMQ:
    """`Broker` on RabbitMQ: the crash notes of a task are the messages of a queue that expires when it is not used."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def depth(self, queue: str) -> Depth:
        """Return how many messages wait: RabbitMQ tells only the sum, so they are taken, counted and requeued.

        No worker sees them for that moment, and they are marked as redelivered.
        """
        counts: Counter[int] = Counter()
        # The end of the channel requeues all that was taken, each in its own place.
        with self.app.connection_for_read() as at, connected(at, BrokerError), at.channel() as channel:
            try:
                total = channel.queue_declare(queue, passive=True).message_count
            except amqp.NotFound:
                return Depth(queue, 0, dict.fromkeys(LEVELS, 0))
            if total > MOST_TAKEN:
                return Depth(queue, total, None)
            while sum(counts.values()) < total and (message := channel.basic_get(queue)) is not None:
                counts[min(message.properties.get("priority") or 0, LEVELS[-1])] += 1
        return Depth(queue, sum(counts.values()), {level: counts[level] for level in LEVELS})

    def count_delayed(self) -> int:
        def count(connection: Any) -> int:
            counts = []
            for lane in rabbitmq_delays.LANES:
                with connection.channel() as channel, suppress(amqp.NotFound):  # nothing was delayed for so long
                    for name in rabbitmq_delays.level_queues(lane):
                        counts.append(channel.queue_declare(name, passive=True).message_count)
            return sum(counts)

        return int(by_connection(self.app, count, BrokerError))

    def deliver_later(self, message: Any, seconds: float) -> None:
        # Not by the connection that consumes: RabbitMQ blocks what publishes while it is short of memory.
        by_connection(self.app, lambda at: at.default_channel.publish_later(message, seconds), BrokerError)

    def count_crashes(self, task_id: str) -> int:
        arguments = {"x-expires": NOTES_KEPT * 1000, "x-queue-type": "classic"}
        options = {"durable": True, "auto_delete": False, "arguments": arguments}
        return int(self._ask(lambda channel, queue: channel.queue_declare(queue, **options).message_count, task_id))

    def note_run(self, task_id: str) -> None:
        message = amqp.Message(b"", delivery_mode=2)
        self._ask(lambda channel, queue: channel.basic_publish(message, routing_key=queue), task_id)

    def forget_runs(self, task_id: str) -> None:
        self._ask(lambda channel, queue: channel.queue_delete(queue), task_id)

    def check_rights(self) -> None:
        with self.app.connection_for_write() as at, connected(at, BrokerError), at.channel() as channel:
            channel.exchange_declare(DUE, "topic", **rabbitmq_delays.LASTING)
            channel.queue_declare(DEAD_LETTERS, arguments={"x-queue-type": "classic"}, **rabbitmq_delays.LASTING)
            channel.basic_get(DEAD_LETTERS)  # it is requeued when the channel closes
            channel.basic_publish_confirm(amqp.Message(b""), "", "nobody", confirm_timeout=SILENCE)

    def _ask(self, ask: Callable[[Any, str], Any], task_id: str) -> Any:
        queue = f"{CRASH_NOTES}.{hashlib.sha256(task_id.encode()).hexdigest()[:32]}"
        return by_connection(self.app, lambda connection: ask(connection.default_channel, queue), BrokerError)
