"""One meaning of priority on every broker: 0 to 9, larger is more urgent, unset is NORMAL.

RabbitMQ serves the largest number first; kombu's Redis transport serves the smallest first, which
redis_transport.py turns. The numbers on the wire are the same on both.
"""

import enum
from typing import Any

from kombu import Exchange, Queue

LEVELS = tuple(range(10))


class Priority(enum.IntEnum):
    """Names for the usual priorities; any whole number from 0 to 9 is allowed."""

    LOW = 2
    NORMAL = 5
    HIGH = 7
    CRITICAL = 9


def priority_queue(name: str, **options: Any) -> Queue:
    """Return a durable queue that orders its messages by priority on both brokers.

    It has an exchange and a routing key of its own name: two queues that share them would each get
    a copy of every message. `options` are those of `kombu.Queue`. On RabbitMQ the server has the queue as
    `shop.NAME`; "/NAME" is one that it has as NAME, such as `tasks` from before the names had the project.
    """
    # RabbitMQ knows priorities in queues of this type alone, and a virtual host may have another as its default.
    arguments = {"x-max-priority": 10, "x-queue-type": "classic", **options.pop("queue_arguments", {})}
    routing_key = name.removeprefix("/")
    return Queue(name, Exchange(name), routing_key=routing_key, queue_arguments=arguments, **options)
