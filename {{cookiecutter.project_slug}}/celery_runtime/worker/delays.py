"""Bound how long a worker holds a message that is not due yet: a long delay is made of hops.

Runs in: worker main process.

Celery holds a message with a countdown or an ETA unacked until it is due. Redis redelivers what is held
longer than its visibility timeout, and RabbitMQ closes the channel of a consumer that holds it longer than
its consumer_timeout. So a message that is not due returns to its queue in time, for whichever worker is next;
the body of its task does not run for that, and its ETA stays as it is.

A message that has become due returns as well, instead of joining the pool's own line, where the first comes
first: it then runs in order of priority, and no later than its worker has a process free.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from celery.utils.time import maybe_make_aware


def shorten(message: Any, longest: float, timezone: tzinfo) -> None:
    """Give a message that is not due for long the ETA at which this worker is to return it.

    A message that is due loses its ETA, so that it runs now, and `was_delayed` tells it from others. The
    broker keeps its own copy, which stays as it was published.

    Args:
        message: a `kombu.Message`.
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
        return  # Celery rejects it


def waits(message: Any) -> bool:
    """Return whether the message has an ETA, as Celery has sent it since version 4."""
    headers = message.headers
    return isinstance(headers, dict) and isinstance(headers.get("eta"), str)


def was_delayed(message: Any) -> bool:
    """Return whether `shorten` has found that the ETA of the message is over."""
    return getattr(message, "was_delayed", False)
