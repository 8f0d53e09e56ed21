"""How many messages wait in each queue, by priority.

On Redis each priority is a list, so this reads lengths. RabbitMQ tells only the sum: there the waiting
messages are taken and given back, unread by any worker for that moment and marked as redelivered.
"""

import collections
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError

from celery_runtime.brokers.priorities import LEVELS

# Above this many messages RabbitMQ's are not taken, and only the sum is told.
MOST_TAKEN = 10_000


@dataclass(frozen=True)
class Depth:
    """`by_priority` has a count for each of 0 to 9; it is None where only the sum is known."""

    queue: str
    total: int
    by_priority: Mapping[int, int] | None


def read_depths(app: Celery, most_taken: int = MOST_TAKEN) -> list[Depth]:
    """Return the depth of each queue of the project. A queue that the broker does not know yet is empty.

    Raises:
        ConnectionError: the broker cannot be reached, or refuses the login.
    """
    queues = sorted(app.amqp.queues)
    with app.connection_for_read() as connection:
        faults: tuple[type[BaseException], ...] = (
            OperationalError,
            *connection.connection_errors,
            *connection.channel_errors,
        )
        try:
            connection.ensure_connection(max_retries=1, interval_start=0)
            if connection.transport.driver_type == "redis":
                channel = connection.default_channel
                return [_redis_depth(channel, queue) for queue in queues]
            return [_rabbitmq_depth(connection, queue, most_taken) for queue in queues]
        except faults as error:
            raise ConnectionError(f"the broker at {connection.as_uri()} cannot be used: {error}") from error


def _redis_depth(channel: Any, queue: str) -> Depth:
    lengths = {level: channel.client.llen(channel._q_for_pri(queue, level)) for level in LEVELS}
    return Depth(queue, sum(lengths.values()), lengths)


def _rabbitmq_depth(connection: Connection, queue: str, most_taken: int) -> Depth:
    channel: Any = connection.channel()
    try:
        total = channel.queue_declare(queue, passive=True).message_count
    except connection.channel_errors as error:
        if getattr(error, "code", None) != 404:
            raise
        return Depth(queue, 0, dict.fromkeys(LEVELS, 0))
    try:
        if total > most_taken:
            return Depth(queue, total, None)
        counts: collections.Counter[int] = collections.Counter()
        while sum(counts.values()) < total and (message := channel.basic_get(queue)) is not None:
            counts[min(message.properties.get("priority") or 0, LEVELS[-1])] += 1
        return Depth(queue, sum(counts.values()), {level: counts[level] for level in LEVELS})
    finally:
        channel.close()  # gives back all that was taken, each to its own place
