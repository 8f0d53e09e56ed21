"""Long delays in hops: how long a worker may hold a message that is not due yet.

A worker holds a message with a countdown or an ETA unacknowledged until it is due. Redis hands out what
is held longer than its visibility timeout a second time, and RabbitMQ closes the channel of a consumer that
acknowledges nothing for 30 minutes. So a message that is not due goes back to its queue in time, and to
whichever worker is next; its task's body does not run for that, and its ETA stays as it is.

What has become due goes back as well, instead of into the pool's own line of what came first: it then runs
in order of priority, and no later than its worker has a process free.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from celery.utils.time import maybe_make_aware

from . import broker

LONGEST_HOP_ON_RABBITMQ = 25 * 60.0  # seconds; its consumer_timeout is 30 minutes
KOMBU_VISIBILITY_TIMEOUT = 3600.0  # seconds, where the transport options give none


def longest_hop(url: str, transport_options: dict[str, Any]) -> float:
    """Return the seconds for which a worker may hold a message that is not due."""
    if broker.is_rabbitmq(url):
        return LONGEST_HOP_ON_RABBITMQ
    return float(transport_options.get("visibility_timeout", KOMBU_VISIBILITY_TIMEOUT)) / 2


def shorten(message: Any, longest: float, timezone: tzinfo) -> None:
    """Give a message that is not due for long the ETA at which this worker is to give it back.

    A message that is due loses its ETA, so that it runs now. What was published stays as it is: the broker
    keeps its own copy.

    Args:
        longest: the seconds for which it may be held.
        timezone: that of an ETA which names none.
    """
    if not waits(message):
        return
    try:
        eta = maybe_make_aware(datetime.fromisoformat(message.headers["eta"]), timezone)
        now = datetime.now(UTC)
        message.headers["eta"] = (
            None if eta <= now else min(eta, now + timedelta(seconds=longest)).isoformat()
        )
    except (OverflowError, ValueError):
        return  # Celery turns it down


def waits(message: Any) -> bool:
    """Whether the message has an ETA, as Celery has sent it since version 4."""
    headers = message.headers
    return isinstance(headers, dict) and isinstance(headers.get("eta"), str)
