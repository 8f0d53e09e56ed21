"""Runs cases in turn, so that what else the machine does slows all of them alike."""

from collections.abc import Callable, Mapping
from typing import TypeVar

Result = TypeVar("Result")


def interleave(cases: Mapping[str, Callable[[], Result]], rounds: int) -> dict[str, list[Result]]:
    """Return the results of each case. One round before is thrown away: it writes byte code, fills caches."""
    results: dict[str, list[Result]] = {name: [] for name in cases}
    for number in range(-1, rounds):
        # Turning the order around each time favours no case by its neighbour.
        for name in list(cases)[:: 1 if number % 2 else -1]:
            result = cases[name]()
            if number >= 0:
                results[name].append(result)
    return results
