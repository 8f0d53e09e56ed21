"""What a command of the Makefile is told by its variables `N`, `SEED` and `BROKER`."""

import os
import sys

BROKERS = ("redis", "rabbitmq")


def broker() -> str:
    """Return the chosen broker, Redis where none is. Another one ends the process with one line."""
    chosen = os.environ.get("BROKER") or BROKERS[0]
    if chosen not in BROKERS:
        sys.exit(f"error: BROKER={chosen!r} is unknown; use one of: {', '.join(BROKERS)}.")
    return chosen


def number(default: int) -> int:
    """Return how many. What is no number ends the process with one line."""
    return _whole_number("N", default)


def seed() -> int:
    """Return the seed of the chances, a random one where none is given."""
    return _whole_number("SEED", int.from_bytes(os.urandom(4), "big"))


def _whole_number(variable: str, default: int) -> int:
    value = os.environ.get(variable) or str(default)
    if not value.isdecimal():
        sys.exit(f"error: {variable}={value!r} is no whole number.")
    return int(value)
