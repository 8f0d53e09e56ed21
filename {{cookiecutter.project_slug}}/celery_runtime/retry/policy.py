"""Decides what follows a failure: run the task again soon, wait until the other side is ready, or give up."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from celery_runtime.errors.verdict import Verdict, check_seconds
from celery_runtime.kinds import check_kind, is_kind_of
from celery_runtime.text import seconds_in

Seconds = float | str  # such as "90s", "30m" or "6h"
ATTEMPTS = 5  # of a Retry with no bound, and of what crashes its worker under a rule that counts no runs
SHORTEST_WAIT = 1.0  # seconds, if a service asks for less
SPREAD = 1.1  # tasks that were told to wait for the same moment do not come back as one crowd


@dataclass(frozen=True)
class _Delays:
    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is None and getattr(type(self), name) is None:
                continue  # a bound that is not stated
            if name != "attempts":
                seconds_of(value, name)
            elif not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"attempts={value!r} must be a whole number above 0")
        base, cap = vars(self)["base"], vars(self)["cap"]
        if seconds_of(base) > seconds_of(cap):
            raise ValueError(f"base={base!r} is above its cap={cap!r}")


@dataclass(frozen=True)
class Retry(_Delays):
    """Run it again, within `attempts` and `max_age`, after a random part of a delay that doubles.

    Source: "full jitter" of Marc Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015.
    Times are seconds, or such as "90s", "30m", "6h". What cannot be, and a `base` above its `cap`, is a `ValueError`.

    Args:
        attempts: runs in all that may end with an error of one rule; 3 is one run and two more. Without it they are
            not counted, but for 5 if there is no `max_age` either.
        base: the longest delay before the second run.
        cap: the longest delay of all. A longer `Retry-After` is honoured.
        max_age: the time from the first error of the rule to the last run, at most.
    """

    attempts: int | None = None
    base: Seconds = 1.0
    cap: Seconds = 300.0
    max_age: Seconds | None = None


@dataclass(frozen=True)
class Wait(_Delays):
    """Run it again when the other side is ready, for as long as `max_age`; that spends no attempt.

    The delay is the one that `Retry-After` states; without one it doubles as that of `Retry` does.
    It raises what `Retry` raises.

    Args:
        max_age: as that of `Retry`. A `Retry-After` beyond it gives up at once.
        base: the longest first delay without `Retry-After`.
        cap: the longest delay without `Retry-After`.
    """

    max_age: Seconds = 3600.0
    base: Seconds = 5.0
    cap: Seconds = 300.0


@dataclass(frozen=True)
class Fail:
    """Give up at once."""


Action = Retry | Wait | Fail


class Rule(NamedTuple):
    """The rule that fits a kind: the kind at its left, which may be a wider one, and what to do."""

    kind: str
    action: Action


class Failures(NamedTuple):
    """How often a task has failed with the kinds of one rule, this time included, and since when."""

    number: int
    since: float  # the first failure of these kinds, in seconds since the epoch
    first: float  # that of any kind


class Policy:
    """The rules of the project, and its bound on the age of any task.

    It raises what `check_rules` raises; if `max_age` is not a time, that is a `ValueError`.

    Args:
        actions: by kind; of several that fit, the longest kind counts. "" fits every kind.
        max_age: the time from the first failure of a task, of whatever kind, after which it is given up.
    """

    def __init__(self, actions: Mapping[str, Action], max_age: Seconds) -> None:
        self.actions = check_rules(actions)
        self.max_age = seconds_of(max_age, "MAX_AGE")

    def rule(self, kind: str, override: Mapping[str, Action] | None = None) -> Rule:
        """Return the rule for a kind: of the task's own rules, if one fits, else of the project's."""
        return _longest(kind, override or {}) or _longest(kind, self.actions) or Rule("", Fail())

    def delay(self, action: Action, verdict: Verdict, failures: Failures, now: float) -> float | None:
        """Return the seconds until the next run, None if the task is to be given up."""
        if verdict.permanent or isinstance(action, Fail) or failures.number >= most_runs(action, verdict.kind):
            return None
        base, cap = seconds_of(action.base), seconds_of(action.cap)
        delay = random.uniform(0, min(cap, base * 2.0 ** min(failures.number - 1, 63)))
        if verdict.retry_after is not None:
            asked = max(verdict.retry_after, SHORTEST_WAIT) * random.uniform(1, SPREAD)
            delay = asked if isinstance(action, Wait) else max(delay, asked)
        if action.max_age is not None and now + delay - failures.since > seconds_of(action.max_age):
            return None
        return delay if now + delay - failures.first <= self.max_age else None


def seconds_of(time: object, name: str = "") -> float:
    """Return the seconds of a number, or of a text such as "30m"; raise a `ValueError` if it is neither."""
    seconds = seconds_in(time) if isinstance(time, str) else None
    try:
        return check_seconds(time if seconds is None else seconds, name)
    except ValueError as error:
        raise ValueError(f"{error}, or such as '90s', '30m' or '6h'") from None


def most_runs(action: Action, kind: str) -> float:
    """Return how many runs of a task may end with an error of this kind, under an action of its rule."""
    if isinstance(action, Fail):
        return 1
    stated = action.attempts if isinstance(action, Retry) else None
    return stated or (ATTEMPTS if action.max_age is None or is_kind_of(kind, "worker") else math.inf)


def check_rules(actions: Any) -> Mapping[str, Action]:
    """Return the rules; raise a `TypeError` or `ValueError` that says which kind or action cannot be."""
    if not isinstance(actions, Mapping):
        raise TypeError(f"the policy must be a dict of kinds, not {actions!r}")
    for kind, action in actions.items():
        if kind != "":
            check_kind(kind)
        if not isinstance(action, Action):
            raise TypeError(f"the policy of {kind!r} must be Retry(…), Wait(…) or Fail(), not {action!r}")
    return actions


def _longest(kind: str, actions: Mapping[str, Action]) -> Rule | None:
    while kind and kind not in actions:
        kind = kind.rpartition(".")[0]
    return Rule(kind, actions[kind]) if kind in actions else None
