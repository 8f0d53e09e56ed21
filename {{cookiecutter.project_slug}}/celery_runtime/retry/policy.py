"""What happens to a task that fails: run it again soon, wait until the other side is ready, or give up."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from celery_runtime.errors.verdict import Verdict, is_seconds
from celery_runtime.kinds import check_kind

SHORTEST_WAIT = 1.0  # seconds, where a service asks for less
SPREAD = 1.1  # what was asked to wait for the same moment does not come back as one crowd


@dataclass(frozen=True)
class Retry:
    """Run it again, at most `attempts` times in all, after a random part of a delay that doubles.

    Source: "full jitter" of Marc Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015.

    Args:
        attempts: runs in all that may end with an error of one kind; 3 is one run and two more.
        base: the longest delay before the second run, in seconds.
        cap: the longest delay of all, in seconds. A longer `Retry-After` is honoured.
    """

    attempts: int = 5
    base: float = 1.0
    cap: float = 300.0


@dataclass(frozen=True)
class Wait:
    """Run it again when the other side is ready, for as long as `max_age`; that spends no attempt.

    The delay is what `Retry-After` says; without one it doubles as that of `Retry` does.

    Args:
        max_age: seconds from the first error of the kind. A `Retry-After` beyond it gives up at once.
        base: the longest first delay without `Retry-After`, in seconds.
        cap: the longest delay without `Retry-After`, in seconds.
    """

    max_age: float = 3600.0
    base: float = 5.0
    cap: float = 300.0


@dataclass(frozen=True)
class Fail:
    """Give up at once."""


Action = Retry | Wait | Fail


class Row(NamedTuple):
    """The row of a table that fits a kind: the prefix at its left, and what to do."""

    prefix: str
    action: Action


class Failures(NamedTuple):
    """How often a task has failed with the kinds of one row, this time included, and since when.

    `since` and `first` are seconds since the epoch: the first failure of these kinds, and of any.
    """

    number: int
    since: float
    first: float


class Policy:
    """The table of the project, and its bound on the age of any task.

    Args:
        actions: by kind; of several that fit, that with the longest prefix counts. "" fits every kind.
        max_age: seconds from the first failure of a task, of whatever kind, after which it is given up.
    """

    def __init__(self, actions: Mapping[str, Action], max_age: float) -> None:
        self.actions = actions
        self.max_age = max_age

    def row(self, kind: str, override: Mapping[str, Action] | None = None) -> Row:
        """Return the row for a kind: that of the task's own table, where one fits, else of the project's."""
        return _longest_prefix(kind, override or {}) or _longest_prefix(kind, self.actions) or Row("", Fail())

    def delay(self, action: Action, verdict: Verdict, failures: Failures, now: float) -> float | None:
        """Return the seconds until the next run, None when the task is to be given up."""
        if verdict.permanent or isinstance(action, Fail):
            return None
        if isinstance(action, Retry) and failures.number >= action.attempts:
            return None
        delay = _jittered(action.base, action.cap, failures.number)
        if verdict.retry_after is not None:
            asked = max(verdict.retry_after, SHORTEST_WAIT) * random.uniform(1, SPREAD)
            delay = asked if isinstance(action, Wait) else max(delay, asked)
        if isinstance(action, Wait) and now + delay - failures.since > action.max_age:
            return None
        return delay if now + delay - failures.first <= self.max_age else None


def problems(actions: Any, max_age: Any = 0) -> Iterator[str]:
    """Yield what is wrong with a table and the bound on all of it; nothing where all is right."""
    if reason := _wrong_number("MAX_AGE", max_age):
        yield f"MAX_AGE={max_age!r} {reason}"
    if not isinstance(actions, Mapping):
        yield f"the policy must be a dict of kinds, not {actions!r}"
        return
    for kind, action in actions.items():
        if kind != "":
            try:
                check_kind(kind)
            except ValueError as error:
                yield str(error)
        if not isinstance(action, Action):
            yield f"the policy of {kind!r} must be Retry(…), Wait(…) or Fail(), not {action!r}"
            continue
        if isinstance(action, Wait) and f"{kind}.".startswith("worker."):
            yield f"the policy of {kind!r} must be Retry(…) or Fail(): what takes its worker with it is run a few times"
            continue
        for name, value in vars(action).items():
            if reason := _wrong_number(name, value):
                yield f"{name}={value!r} of {kind!r} {reason}"
                break
        else:
            if not isinstance(action, Fail) and action.base > action.cap:
                yield f"base={action.base!r} of {kind!r} is above its cap={action.cap!r}"


def _wrong_number(name: str, value: object) -> str | None:
    if name == "attempts":
        right = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        return None if right else "must be a whole number above 0"
    return None if is_seconds(value) else "must be a number of seconds, 0 or more"


def _longest_prefix(kind: str, actions: Mapping[str, Action]) -> Row | None:
    while kind:
        if kind in actions:
            return Row(kind, actions[kind])
        kind = kind.rpartition(".")[0]
    return Row("", actions[""]) if "" in actions else None


def _jittered(base: float, cap: float, failures: int) -> float:
    return random.uniform(0, min(cap, base * 2.0 ** min(failures - 1, 63)))
