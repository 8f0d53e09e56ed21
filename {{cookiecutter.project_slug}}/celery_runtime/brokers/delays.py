"""Tell how long a message is not due yet. What is not due stays on the broker, and costs a worker nothing."""

from datetime import UTC, datetime, tzinfo
from typing import Any


def seconds_left(fields: Any, zone: tzinfo | None = None) -> float:
    """Return the seconds until the `eta` in the headers of a message, 0 if it has none or is due.

    `zone` is that of an ETA which states none. Where the zone is not known either, it is left to the worker: 0.
    """
    try:
        eta = datetime.fromisoformat(fields["eta"])
        if eta.tzinfo is None:
            eta = eta.replace(tzinfo=zone)
        return max((eta - datetime.now(UTC)).total_seconds(), 0) if eta.year < 9999 else 0
    except (KeyError, TypeError, ValueError, OverflowError):  # it has none, or the worker rejects it, as that year
        return 0
