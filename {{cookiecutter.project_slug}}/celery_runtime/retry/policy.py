"""Decides what follows a failure: run the task again soon, wait until the other side is ready, or give up."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from celery_runtime.errors.verdict import Verdict, check_seconds
from celery_runtime.kinds import check_kind

SHORTEST_WAIT = 1.0  # seconds, if a service asks for less
SPREAD = 1.1  # tasks that were told to wait for the same moment do not come back as one crowd


@dataclass(frozen=True)
class _Delays:
    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "attempts":
                check_seconds(value, name)
            elif not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"attempts={value!r} must be a whole number above 0")
        base, cap = vars(self)["base"], vars(self)["cap"]
        if base > cap:
            raise ValueError(f"base={base!r} is above its cap={cap!r}")


@dataclass(frozen=True)
class Retry(_Delays):
    """Run it again, at most `attempts` times in all, after a random part of a delay that doubles.

    Source: "full jitter" of Marc Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015.
    A number that cannot be, and a `base` above its `cap`, is a `ValueError`.

    Args:
        attempts: runs in all that may end with an error of one rule; 3 is one run and two more.
        base: the longest delay before the second run, in seconds.
        cap: the longest delay of all, in seconds. A longer `Retry-After` is honoured.
    """

    attempts: int = 5
    base: float = 1.0
    cap: float = 300.0


@dataclass(frozen=True)
class Wait(_Delays):
    """Run it again when the other side is ready, for as long as `max_age`; that spends no attempt.

    The delay is the one that `Retry-After` states; without one it doubles as that of `Retry` does.
    It raises what `Retry` raises.

    Args:
        max_age: seconds from the first error of the rule. A `Retry-After` beyond it gives up at once.
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

    It raises what `check_rules` raises, and a `ValueError` if the age is not a number of seconds.

    Args:
        actions: by kind; of several that fit, the longest kind counts. "" fits every kind.
        max_age: seconds from the first failure of a task, of whatever kind, after which it is given up.
    """

    def __init__(self, actions: Mapping[str, Action], max_age: float) -> None:
        self.actions = check_rules(actions)
        self.max_age = check_seconds(max_age, "MAX_AGE")

    def rule(self, kind: str, override: Mapping[str, Action] | None = None) -> Rule:
        """Return the rule for a kind: of the task's own rules, if one fits, else of the project's."""
        return _longest(kind, override or {}) or _longest(kind, self.actions) or Rule("", Fail())

    def delay(self, action: Action, verdict: Verdict, failures: Failures, now: float) -> float | None:
        """Return the seconds until the next run, None if the task is to be given up."""
        if verdict.permanent or isinstance(action, Fail):
            return None
        if isinstance(action, Retry) and failures.number >= action.attempts:
            return None
        delay = random.uniform(0, min(action.cap, action.base * 2.0 ** min(failures.number - 1, 63)))
        if verdict.retry_after is not None:
            asked = max(verdict.retry_after, SHORTEST_WAIT) * random.uniform(1, SPREAD)
            delay = asked if isinstance(action, Wait) else max(delay, asked)
        if isinstance(action, Wait) and now + delay - failures.since > action.max_age:
            return None
        return delay if now + delay - failures.first <= self.max_age else None


def check_rules(actions: Any) -> Mapping[str, Action]:
    """Return the rules; raise a `TypeError` or `ValueError` that says which kind or action cannot be."""
    if not isinstance(actions, Mapping):
        raise TypeError(f"the policy must be a dict of kinds, not {actions!r}")
    for kind, action in actions.items():
        if kind != "":
            check_kind(kind)
        if not isinstance(action, Action):
            raise TypeError(f"the policy of {kind!r} must be Retry(…), Wait(…) or Fail(), not {action!r}")
        if isinstance(action, Wait) and f"{kind}.".startswith("worker."):
            reason = "a task that crashes its worker runs a few times"
            raise ValueError(f"the policy of {kind!r} must be Retry(…) or Fail(): {reason}")
    return actions


def _longest(kind: str, actions: Mapping[str, Action]) -> Rule | None:
    while kind and kind not in actions:
        kind = kind.rpartition(".")[0]
    return Rule(kind, actions[kind]) if kind in actions else None
