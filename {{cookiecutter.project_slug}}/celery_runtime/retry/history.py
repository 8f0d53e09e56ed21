"""Keep the attempt history of a task in the headers of its message, which goes from worker to worker."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from celery_runtime.kinds import check_kind
from celery_runtime.retry.policy import Failures

HEADER = "error_policy"


@dataclass
class AttemptHistory:
    """Count the failures after which the policy ran a task again; Celery's own retries are not among them."""

    first: float = math.inf  # when the task failed for the first time, in seconds since the epoch
    by_kind: dict[str, tuple[int, float]] = field(default_factory=dict)  # how often, and when for the first time

    @classmethod
    def read(cls, headers: Mapping[str, Any] | None) -> Self:
        """Return the history of a message; an empty one if it has none that can be read."""
        try:
            entry = (headers or {})[HEADER]
            kinds = {check_kind(kind): (int(count), float(since)) for kind, (count, since) in entry["by_kind"].items()}
            return cls(float(entry["first"]), kinds)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            return cls()

    def add(self, kind: str, now: float) -> None:
        """Count one more failure of this kind."""
        self.first = min(self.first, now)
        count, since = self.by_kind.get(kind, (0, now))
        self.by_kind[kind] = count + 1, since

    def of(self, counts: Callable[[str], bool]) -> Failures:
        """Return the failures of the kinds for which `counts(kind)` is true. There must be one."""
        since = min(since for kind, (_, since) in self.by_kind.items() if counts(kind))
        return Failures(self.count(counts), since, self.first)

    def count(self, counts: Callable[[str], bool] = lambda kind: True) -> int:
        """Return the sum over the kinds, or over those for which `counts(kind)` is true."""
        return sum(count for kind, (count, _) in self.by_kind.items() if counts(kind))

    def headers(self) -> dict[str, Any]:
        return {HEADER: {"first": self.first, "by_kind": {kind: list(entry) for kind, entry in self.by_kind.items()}}}
