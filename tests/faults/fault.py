"""What a fault is, and why an area of them may be impossible on this machine."""

from collections.abc import Callable
from typing import NamedTuple


class Unavailable(Exception):
    """The faults of an area cannot be caused here; the message names what is missing."""


class Fault(NamedTuple):
    """One fault: `cause()` must raise. `retry_after` is in seconds, None for none."""

    name: str
    library: str
    expected: str
    cause: Callable[[], object]
    retry_after: float | None = None
