"""What went wrong, told apart by one function, and the exceptions by which a task says so itself.

    network      .dns .unavailable .timeout .disconnected .tls
    database     .auth .unavailable .timeout .conflict .pool .query .unclear
    external     .unavailable .busy .auth .rejected .invalid
    application  .transient .permanent
    time_limit   .soft .hard
    worker       .lost .memory
    unexpected   all else: most often an error in the task itself

Rules look at class names and attributes, so that no library is imported for it. What they know of
libraries was found by causing the faults.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar, Token
from datetime import timedelta
from typing import Any

from . import database_errors, external_errors, network_errors
from .verdict import (
    Rule,
    Verdict,
    attribute,
    by_name,
    check_kind,
    check_seconds,
    check_verdict,
    message_of,
)

__all__ = ["RULES", "PermanentError", "TransientError", "Verdict", "by_name", "classify", "handling"]

logger = logging.getLogger(__name__)

LONGEST_CHAIN = 50


class TaskError(Exception):
    """An error that a task raises to say what it is.

    Args:
        message: for people.
        kind: dotted words, such as "application.out_of_stock".
        retry_after: the seconds, or the timedelta, after which it is worth another try.

    Raises:
        ValueError: the first word of the kind is none of the seven, or the seconds are no number from 0 on.
    """

    kind: str
    retry_after: float | None = None  # also for a subclass whose __init__ does not call this one

    def __init__(
        self, message: str = "", *, kind: str | None = None, retry_after: float | timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.kind = check_kind(kind or type(self).kind)
        if retry_after is not None:
            self.retry_after = check_seconds(
                retry_after.total_seconds() if isinstance(retry_after, timedelta) else retry_after
            )

    # Celery rebuilds the exceptions of results as `type(*args)`, pickle by this: the rest is state.
    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__.copy())


def _rebuilt(cls: type[TaskError], arguments: tuple[Any, ...], state: dict[str, Any]) -> TaskError:
    error = cls.__new__(cls, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error


class TransientError(TaskError):
    """It is likely to pass: the table says how often and when to try again."""

    kind = "application.transient"


class PermanentError(TaskError):
    """Trying again is useless: it is given up at once, whatever the table says of its kind."""

    kind = "application.permanent"


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

_told: set[tuple[Rule, type]] = set()

# The first rule that knows an exception decides; put your own in front.
RULES: list[Rule] = [
    _own,
    _limits,
    *database_errors.RULES,
    *external_errors.RULES,
    *network_errors.RULES,
]
# These are asked when no exception of the chain was clear.
_LAST_RESORT: list[Rule] = [database_errors.invalidated, network_errors.unspecific, database_errors.unclear]


PROGRAMMING_ERRORS = (AttributeError, IndexError, KeyError, NameError, TypeError, UnboundLocalError)


def classify(error: BaseException) -> Verdict:
    """Return the verdict on an exception: that of the outermost one along its causes that is clear.

    A certificate that is not trusted decides wherever it stands. It never raises.
    """
    if type(error) in PROGRAMMING_ERRORS and error.__cause__ is None:
        # A slip in an `except` block is not the error that was being handled there.
        return Verdict("unexpected", origin=_origin(error))
    chain = list(chain_of(error))
    for rules in ([network_errors.bad_certificate], RULES, _LAST_RESORT):
        for link in chain:
            for rule in rules:
                verdict = _apply(rule, link)
                if verdict is not None:
                    return verdict._replace(origin=_origin(link))
    return Verdict("unexpected", origin=_origin(error))


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and what caused it, outermost first, also where the context is suppressed.

    httpx suppresses the context that tells a failure of DNS from a refused connection.
    """
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < LONGEST_CHAIN:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting.extend(link.exceptions)
        cause = link.__context__ if link.__cause__ is None else link.__cause__
        if cause is not None:
            waiting.append(cause)
        # urllib3 and what was pickled keep a cause among the arguments alone.
        waiting.extend(argument for argument in _arguments(link) if isinstance(argument, BaseException))


def _arguments(error: BaseException) -> tuple[Any, ...]:
    arguments = attribute(error, "args")
    return arguments if isinstance(arguments, tuple) else ()


def _apply(rule: Rule, error: BaseException) -> Verdict | None:
    try:
        verdict = rule(error)
        return None if verdict is None else check_verdict(verdict)
    except Exception as problem:  # noqa: BLE001 - a rule of the user's, or an attribute like none seen before
        place = (rule, type(error))
        if place not in _told:  # once: writing the line classifies the error in hand anew
            _told.add(place)
            name = getattr(rule, "__name__", repr(type(rule)))
            what = f"{type(problem).__name__}: {message_of(problem)}"
            logger.warning("the rule %s failed on %s with %s", name, type(error).__name__, what)
        return None


def _origin(error: BaseException) -> str:
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


_service: ContextVar[str | None] = ContextVar("service", default=None)


class handling:
    """Names the service that a block talks to: log lines, and the error that leaves the block, carry it.

    The exception itself goes on as it is, so that `except` clauses around the block see the original.
    """

    def __init__(self, service: str) -> None:
        self.service = service

    def __enter__(self) -> None:
        self._token: Token[str | None] = _service.set(self.service)

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        _service.reset(self._token)
        if error is not None and attribute(error, "_service") is None:
            with suppress(Exception):  # an exception with slots has no room for it
                error._service = self.service  # type: ignore[attr-defined]


def service_of(error: BaseException | None) -> str | None:
    """Return the service that `handling` named: around the running code, else around the exception."""
    if (service := _service.get()) is not None or error is None:
        return service
    named = (attribute(link, "_service") for link in chain_of(error))
    return next((service for service in named if isinstance(service, str)), None)
