"""What an error is: its verdict, and how rules look at an exception without importing its library."""

import functools
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeGuard

ROOTS = ("network", "database", "external", "application", "time_limit", "worker", "unexpected")

_KIND = re.compile(rf"({'|'.join(ROOTS)})(\.\w+)*", re.ASCII)


def check_kind(kind: object) -> str:
    """Return the kind.

    Raises:
        ValueError: it is no string of words joined by dots whose first is one of `ROOTS`.
    """
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        hint = f", such as 'application.{kind}'" if isinstance(kind, str) and kind.isidentifier() else ""
        raise ValueError(f"the first word of the kind {kind!r} must be one of {', '.join(ROOTS)}{hint}")
    return kind


def is_seconds(value: object) -> TypeGuard[float]:
    """Whether the value is a finite number from 0 on."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def check_seconds(value: object) -> float:
    """Return the seconds.

    Raises:
        ValueError: they are no finite number from 0 on.
    """
    if not is_seconds(value):
        raise ValueError(f"{value!r} must be a number of seconds, 0 or more")
    return value


class Verdict(NamedTuple):
    """What `classify` says of an exception.

    Attributes:
        kind: dotted words, the first of them one of `ROOTS`, such as "network.timeout".
        code: what the other side calls it, such as "503", "40P01" or "ECONNREFUSED".
        retry_after: seconds that the other side asked to wait.
        origin: the class of the exception that decided, such as "psycopg.errors.DeadlockDetected".
        permanent: true for a `PermanentError`, which is given up whatever the table says of its kind.
    """

    kind: str
    code: str | None = None
    retry_after: float | None = None
    origin: str = ""
    permanent: bool = False


def check_verdict(verdict: object) -> Verdict:
    """Return what a rule has answered.

    Raises:
        TypeError: it is no `Verdict`.
        ValueError: its kind is none, or its seconds are no number.
    """
    if not isinstance(verdict, Verdict):
        raise TypeError(f"{verdict!r} is no Verdict")
    check_kind(verdict.kind)
    if verdict.retry_after is not None and verdict.retry_after != math.inf:
        check_seconds(verdict.retry_after)
    return verdict


# A rule looks at one exception of a chain; None leaves it to the next rule.
Rule = Callable[[BaseException], Verdict | None]


def names_of(error: BaseException) -> tuple[str, ...]:
    """Return package and class of the exception and its bases, such as "requests.ConnectTimeout".

    The modules between the two are left out: they are private to most libraries, and change.
    """
    cls: type = type(error)
    return _names_of(cls)


@functools.lru_cache(maxsize=1024)
def _names_of(cls: type) -> tuple[str, ...]:
    return tuple(f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in cls.__mro__)


def by_name(kinds: Mapping[str, str]) -> Rule:
    """Return a rule that decides by package and class: `by_name({"stripe.CardError": "external.rejected"})`.

    The names are those of `names_of`; the one nearest to the exception's own class counts.

    Raises:
        ValueError: one of the kinds is none, or a name is not package and class.
    """
    for name in kinds:
        if name.count(".") != 1:
            raise ValueError(f"{name!r} must be a package and a class, such as 'stripe.CardError'")
    verdicts = {name: Verdict(check_kind(kind)) for name, kind in kinds.items()}

    @functools.lru_cache(maxsize=1024)
    def verdict_on(cls: type) -> Verdict | None:
        return next((verdicts[name] for name in _names_of(cls) if name in verdicts), None)

    def rule(error: BaseException) -> Verdict | None:
        cls: type = type(error)
        return verdict_on(cls)

    return rule


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


def message_of(error: BaseException, length: int = 2000) -> str:
    """Return the message, cut to `length` characters; the name of its class where `str()` fails."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a __str__ can raise anything
        return f"<the message of this {type(error).__name__} cannot be read>"
    return text if len(text) <= length else f"{text[: length - 1]}…"


def shortened(text: str, length: int) -> str:
    """Return a text of more than `length` characters without its middle."""
    half = length // 2
    if len(text) <= length:
        return text
    return f"{text[:half]} … {len(text) - 2 * half} characters cut … {text[-half:]}"


def seconds_from_retry_after(value: object) -> float | None:
    """Return the seconds of a `Retry-After` header (RFC 9110, 10.2.3): whole seconds or a date.

    A date that has passed is 0. What cannot be read is None; infinity is what no float can hold.
    """
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.isdecimal():
        return float(text) if len(text) < 300 else math.inf
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
