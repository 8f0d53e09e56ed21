"""Say what a rule comes to. The figures of error_policy.py and of docs/errors.md are held to it."""

from celery_runtime import Fail, Retry, Wait
from celery_runtime.retry.policy import seconds_of


def seconds_to_the_end(action: Retry | Wait) -> float:
    """Return the expected seconds from the first failure to the last, if every run fails at once.

    A delay is half of its longest, on average. Where only the age bounds them, the last run is the last of many random
    moments before it: a third of the cap before, as is the mean age in a renewal process of uniform intervals.
    """
    base, cap = seconds_of(action.base), seconds_of(action.cap)
    if isinstance(action, Retry) and action.attempts is not None:
        return sum(min(cap, base * 2**number) / 2 for number in range(action.attempts - 1))
    assert action.max_age is not None
    return seconds_of(action.max_age) - cap / 3


def in_words(action: Retry | Wait) -> str:
    seconds = seconds_to_the_end(action)
    return f"about {seconds:.2g} seconds" if seconds < 120 else f"about {seconds / 60:.2g} minutes"


def what_happens(action: Retry | Wait | Fail) -> str:
    """Return the words of the page for what follows an error by default."""
    if isinstance(action, Fail):
        return "given up at once"
    when = "as `Retry-After` says, " if isinstance(action, Wait) else ""
    return f"tried again {when}for {in_words(action)}"
