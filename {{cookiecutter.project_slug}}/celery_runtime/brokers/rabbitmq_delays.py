"""Keeps what is not due on RabbitMQ: in queues in which each message stays for a power of two.

A delay is a number of units, written in binary as the first words of a routing key: level by level, a message waits in
the queue of that level or passes it by. Each queue hands on what has waited to the exchange of the next level, and the
last of these leads to where the message was published. Runs in: every process that publishes.

The queues are quorum queues, because these alone hand on a message and keep it until the next queue has it on disk. In
one of them RabbitMQ 4 has messages of priorities up to 4 wait for those above it. So each lane has its own queues.

kombu has such a topology (`kombu.transport.native_delayed_delivery`), with neither lanes nor units below a second.
"""

import math
from typing import Any

from celery_runtime.brokers import DELAYED, DUE

UNIT = 0.125  # seconds
LEVELS = 24  # of which the delays add up to 24 days; a worker delays the rest of a longer one again
LANES = ("low", "high")
LASTING: dict[str, Any] = {"durable": True, "auto_delete": False}
KEEPING = {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
SKIP = "*."  # a word of a routing key that another level reads


def level_queues(*lanes: str) -> list[str]:
    """Return the names of the queues, the shortest delay first; their exchanges have the same names."""
    return [f"{DELAYED}.{lane}.{level}" for lane in lanes or LANES for level in range(LEVELS)]


def declare(channel: Any, lane: str, levels: int) -> None:
    """Declare so many levels of a lane, the shortest first. What there is already stays as it is."""
    following = DUE
    channel.exchange_declare(following, "topic", nowait=True, **LASTING)
    for level, name in enumerate(level_queues(lane)[:levels]):
        arguments = {"x-message-ttl": int(UNIT * 1000) << level, "x-dead-letter-exchange": following}
        before = SKIP * (LEVELS - 1 - level)
        channel.exchange_declare(name, "topic", nowait=True, **LASTING)
        channel.queue_declare(name, nowait=True, arguments=KEEPING | arguments, **LASTING)
        channel.queue_bind(name, name, f"{before}1.#", nowait=True)
        channel.exchange_bind(following, name, f"{before}0.#", nowait=True)
        following = name


def declare_end(channel: Any, exchange: str, routing_key: str) -> str:
    """Declare the queue from which what is due goes where it was published, without a stay; return its name."""
    name = f"{DUE}.{exchange}:{routing_key}"
    arguments = {"x-message-ttl": 0, "x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": routing_key}
    channel.queue_declare(name, arguments=KEEPING | arguments, **LASTING)
    channel.queue_bind(name, DUE, SKIP * LEVELS + name)
    return name


def words_of(seconds: float) -> str:
    """Return the delay in binary, a digit for each level, the longest first."""
    return f"{min(math.ceil(seconds / UNIT), 2**LEVELS - 1):0{LEVELS}b}"
