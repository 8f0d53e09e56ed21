"""Long delays in hops: how long a worker may hold a message that is not due yet.

A worker holds a message with a countdown or an ETA unacknowledged until it is due. Redis hands out what
is held longer than its visibility timeout a second time, and RabbitMQ closes the channel of a consumer that
holds one longer than its consumer_timeout. So a message that is not due goes back to its queue in time, and to
whichever worker is next; its task's body does not run for that, and its ETA stays as it is.

What has become due goes back as well, instead of into the pool's own line of what came first: it then runs
in order of priority, and no later than its worker has a process free.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from celery.utils.time import maybe_make_aware


def shorten(message: Any, longest: float, timezone: tzinfo) -> None:
    """Give a message that is not due for long the ETA at which this worker is to give it back.

    A message that is due loses its ETA, so that it runs now, and is marked by `was_delayed = True`. What was published stays as it is: the broker
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
        if eta <= now:
            message.headers["eta"] = None
            message.was_delayed = True
        else:
            message.headers["eta"] = min(eta, now + timedelta(seconds=longest)).isoformat()
    except (OverflowError, ValueError):
        return  # Celery turns it down


def waits(message: Any) -> bool:
    """Whether the message has an ETA, as Celery has sent it since version 4."""
    headers = message.headers
    return isinstance(headers, dict) and isinstance(headers.get("eta"), str)
