"""Let a task say itself what went wrong, and to which service a block talks."""

from contextlib import suppress
from contextvars import ContextVar, Token
from datetime import timedelta
from typing import Any

from celery_runtime.errors.verdict import attribute, chain_of, check_seconds
from celery_runtime.kinds import check_kind


class TaskError(Exception):
    """Say by its kind what went wrong in a task. The base of the two that a task raises.

    Args:
        message: for people.
        kind: dotted words, such as "application.out_of_stock". If it does not begin with a kind of kinds.py, or the
            seconds are not a number from 0 on, that is a `ValueError`.
        retry_after: the seconds, or the timedelta, after which it is worth another try.
    """

    kind: str
    retry_after: float | None = None  # also for a subclass whose __init__ does not call this one

    def __init__(
        self, message: str = "", *, kind: str | None = None, retry_after: float | timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.kind = check_kind(kind or type(self).kind)
        if isinstance(retry_after, timedelta):
            retry_after = retry_after.total_seconds()
        if retry_after is not None:
            self.retry_after = check_seconds(retry_after)

    # Celery rebuilds the exceptions of results as `type(*args)`, pickle by this: the rest is state.
    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__.copy())


def _rebuilt(cls: type[TaskError], arguments: tuple[Any, ...], state: dict[str, Any]) -> TaskError:
    error = cls.__new__(cls, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error


class TransientError(TaskError):
    """Say that the error is likely to pass: the rules say how often and when the task runs again."""

    kind = "application.transient"


class PermanentError(TaskError):
    """Say that another run is useless: the task is given up at once, whatever the rules say of its kind."""

    kind = "application.permanent"


_service: ContextVar[str | None] = ContextVar("service", default=None)


class handling:
    """Name the service that a block talks to, for log lines and for the error that leaves the block.

    The exception goes on as it is, so that `except` clauses around the block see the original.
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
