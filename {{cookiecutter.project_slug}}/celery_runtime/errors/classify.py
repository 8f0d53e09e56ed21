"""Classify exceptions: by one function, into the kinds of kinds.py.

Rules look at class names and attributes, so they import no library. Each was found by causing the fault.
"""

import logging

from celery_runtime.errors import database, network, services
from celery_runtime.errors.raised import PermanentError, TaskError
from celery_runtime.errors.verdict import Rule, Verdict, by_name, chain_of, check_verdict
from celery_runtime.text import message_of

logger = logging.getLogger(__name__)


def _own(error: BaseException) -> Verdict | None:
    if not isinstance(error, TaskError):
        return None
    return Verdict(error.kind, retry_after=error.retry_after, permanent=isinstance(error, PermanentError))


_limits = by_name(
    {
        "billiard.SoftTimeLimitExceeded": "time_limit.soft",
        "billiard.TimeLimitExceeded": "time_limit.hard",
        "billiard.WorkerLostError": "worker.lost",
        "builtins.MemoryError": "worker.memory",
    }
)

# The first rule that knows an exception decides; put your own in front.
RULES: list[Rule] = [_own, _limits, *database.RULES, *services.RULES, *network.RULES]
# All exceptions of a chain are shown to one tier before the next is asked. The last is for what is not clear.
_TIERS = ([network.bad_certificate], RULES, [database.invalidated, network.unspecific, database.unclear])

_warned: set[tuple[Rule, type]] = set()

# A slip in an `except` block is not the error that was being handled there. Of the first, libraries derive their own.
SLIPS = (AttributeError, IndexError, KeyError, TypeError)
SLIPS_AND_BELOW = (ArithmeticError, AssertionError, ImportError, NameError, NotImplementedError, RecursionError)


def classify(error: BaseException) -> Verdict:
    """Return the verdict on an exception: the outermost of its causes that a rule knows decides. It never raises.

    A certificate that is not trusted decides wherever it stands.
    """
    is_slip = type(error) in SLIPS or isinstance(error, SLIPS_AND_BELOW)
    chain = [error] if is_slip and error.__cause__ is None else list(chain_of(error))
    for rules in _TIERS:
        for link in chain:
            for rule in rules:
                if (verdict := _apply(rule, link)) is not None:
                    return verdict._replace(origin=_origin(link))
    return Verdict("unexpected", origin=_origin(error))


def _apply(rule: Rule, error: BaseException) -> Verdict | None:
    try:
        verdict = rule(error)
        return None if verdict is None else check_verdict(verdict)
    except Exception as problem:  # noqa: BLE001 - a rule of the user's, or an attribute like none seen before
        place = (rule, type(error))
        if place not in _warned:  # once: writing the line classifies the error in hand anew
            _warned.add(place)
            name = getattr(rule, "__name__", repr(type(rule)))
            reason = f"{type(problem).__name__}: {message_of(problem)}"
            logger.warning("the rule %s failed on %s with %s", name, type(error).__name__, reason)
        return None


def _origin(error: BaseException) -> str:
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
