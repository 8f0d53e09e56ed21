"""Define verdicts, and how a rule looks at an exception without importing its library."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from celery_runtime.kinds import check_kind

LONGEST_CHAIN = 50


def check_seconds(value: object, name: str = "") -> float:
    """Return the seconds; raise a `ValueError` if they are not a finite number from 0 on."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ValueError(f"{name and f'{name}='}{value!r} must be a number of seconds, 0 or more")
    return value


class Verdict(NamedTuple):
    """Hold the answer of `classify` on an exception.

    Attributes:
        kind: dotted words, such as "network.timeout"; the first is one of kinds.py.
        code: what the other side calls it, such as "503", "40P01" or "ECONNREFUSED".
        retry_after: seconds that the other side asked to wait.
        origin: the class of the exception that decided, such as "psycopg.errors.DeadlockDetected".
        permanent: true for a `PermanentError`, which is given up whatever the rules say of its kind.
    """

    kind: str
    code: str | None = None
    retry_after: float | None = None
    origin: str = ""
    permanent: bool = False


def check_verdict(verdict: object) -> Verdict:
    """Return the answer of a rule; raise a `TypeError` or `ValueError` if its type, kind or seconds cannot be."""
    if not isinstance(verdict, Verdict):
        raise TypeError(f"{verdict!r} is not a Verdict")
    check_kind(verdict.kind)
    if verdict.retry_after is not None and verdict.retry_after != math.inf:
        check_seconds(verdict.retry_after)
    return verdict


# A rule looks at one exception of a chain; None leaves it to the next rule.
Rule = Callable[[BaseException], Verdict | None]


def names_of(error: BaseException) -> tuple[str, ...]:
    """Return package and class of the exception and its bases, without the modules between, which are private."""
    cls: type = type(error)
    return _names_of(cls)


@functools.lru_cache(maxsize=1024)
def _names_of(cls: type) -> tuple[str, ...]:
    return tuple(f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in cls.__mro__)


def by_name(kinds: Mapping[str, str]) -> Rule:
    """Return a rule that decides by package and class: `by_name({"stripe.CardError": "external.rejected"})`.

    The names are those of `names_of`; the one nearest to the exception's own class counts. A kind that there is not,
    and a name that is not package and class, is a `ValueError`.
    """
    for name in kinds:
        if name.count(".") != 1:
            raise ValueError(f"{name!r} must be a package and a class, such as 'stripe.CardError'")
    verdicts = {name: Verdict(check_kind(kind)) for name, kind in kinds.items()}

    @functools.lru_cache(maxsize=1024)
    def verdict_on(names: tuple[str, ...]) -> Verdict | None:
        return next((verdicts[name] for name in names if name in verdicts), None)

    return lambda error: verdict_on(names_of(error))


def by_kind(names: Mapping[str, str]) -> Rule:
    """Return the rule `by_name` for a table the other way round: for each kind its names, with blanks between."""
    return by_name({name: kind for kind, row in names.items() for name in row.split()})


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and its causes, outermost first, suppressed contexts included.

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
        arguments = attribute(link, "args")
        if isinstance(arguments, tuple):  # urllib3, and a pickled exception, keep a cause there alone
            waiting.extend(argument for argument in arguments if isinstance(argument, BaseException))


def attribute(error: object, name: str) -> Any:
    """Return an attribute of a foreign object, None when it has none or reading it fails."""
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001 - a property can raise anything
        return None


def whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: object) -> str | None:
    return value if isinstance(value, str) else None
