"""What a worker must not let in: messages that no publisher of tasks makes, on which it would break.

Celery reads some parts of a message in its main process without asking what they are, and a worker that ends
on one gets it again when it starts anew. The body of a message is decoded here, as Celery does next.

Source: celery/worker/strategy.py and request.py, Celery 5.7; each type was found by breaking a worker.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from celery.app.task import Context
from kombu.exceptions import ContentDisallowed, SerializerNotInstalled

from celery_runtime import kinds
from celery_runtime.brokers.nesting import DEEPEST, is_shallow
from celery_runtime.brokers.rabbitmq_transport import UNREADABLE
from celery_runtime.text import is_name

LARGEST_BODY = 16 * 2**20  # bytes; RabbitMQ 4 takes none larger, unless told otherwise


class Problem(NamedTuple):
    """Why a message is turned away: one of those of `message` in kinds.py, and what is wrong, for people."""

    kind: str
    text: str


class _Malformed(Exception):
    pass


def problem_of(message: Any) -> Problem | None:
    """Return what keeps a worker from reading a `kombu.Message`, None where it is a task as Celery writes it."""
    try:
        _check_properties(message.properties)
        _check_headers(message.headers)
    except _Malformed as error:
        return Problem(kinds.MALFORMED, str(error))
    if len(message.body or b"") > LARGEST_BODY:
        return Problem(kinds.TOO_LARGE, f"its body has more than {LARGEST_BODY} bytes")
    try:
        payload = message.payload
    except (ContentDisallowed, SerializerNotInstalled) as error:
        return Problem(kinds.REFUSED_CONTENT, str(error))
    except Exception as error:  # noqa: BLE001 - a decoder can raise anything
        return Problem(kinds.UNDECODABLE, f"{type(error).__name__}: {error}")
    if not is_shallow(payload) or not is_shallow(message.headers):
        return Problem(kinds.TOO_LARGE, f"it is nested more than {DEEPEST} deep")
    try:
        if "task" in message.headers:
            _check_body(payload)
        else:
            _check_old_body(payload, message.headers)
    except _Malformed as error:
        return Problem(kinds.MALFORMED, str(error))
    return None


def _check_properties(properties: Any) -> None:
    _require(isinstance(properties, dict), "its properties are no dict")
    if UNREADABLE in properties:
        raise _Malformed(properties[UNREADABLE])
    _check(properties, _PROPERTIES)


def _check_headers(headers: Any) -> None:
    _require(_is_dict(headers), "its headers are no dict of names")
    if "task" in headers:  # Celery 3 had it in the body
        _check_stated(headers)


def _check_stated(fields: dict[str, Any]) -> None:
    """Check what the headers of a message state, or its body where Celery 3 has written it."""
    _require(_HIDDEN.isdisjoint(fields), "its headers hide what a task's request is made of")
    _require(is_name(fields["task"]), "its task is no printable text of 1 to 255 bytes")
    _require(is_name(fields.get("id")), "its id is no printable text of 1 to 255 bytes")
    _check(fields, _FIELDS)


def _check_body(body: Any) -> None:
    _require(isinstance(body, _LISTS) and len(body) == 3, "its body is no list of args, kwargs and embed")
    args, kwargs, embed = body
    _check_arguments(args, kwargs)
    if embed:
        _require(_is_dict(embed) and _NOT_EMBEDDED.isdisjoint(embed), "its embed is no dict of links")
        _check(embed, _LINKS)


def _check_old_body(body: Any, headers: dict[str, Any]) -> None:
    _require(_is_dict(body) and "task" in body, "it names no task")
    stated = {**body, **headers}  # Celery lets the headers win
    _check_stated(stated)
    _check_arguments(stated.get("args", []), stated.get("kwargs", {}))


def _check_arguments(args: Any, kwargs: Any) -> None:
    _require(isinstance(args, _LISTS), "its args are no list")
    _require(_is_dict(kwargs), "its kwargs are no dict of names")


def _check(parts: dict[str, Any], tests: Mapping[str, tuple[str, Callable[[Any], bool]]]) -> None:
    for name, (what, fits) in tests.items():
        value = parts.get(name)
        if value is not None and not fits(value):
            raise _Malformed(f"its {name} is no {what}")


def _require(fits: bool, problem: str) -> None:
    if not fits:
        raise _Malformed(problem)


def _is_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _is_priority(value: Any) -> bool:
    return _is_number(value) and value <= 255


def _are_seconds(value: Any) -> bool:
    if not isinstance(value, _LISTS) or len(value) != 2:
        return False
    return all(
        one is None or _is_number(one) or (isinstance(one, float) and 0 <= one < 2**31) for one in value
    )


def _is_moment(value: Any) -> bool:
    try:
        year = datetime.fromisoformat(value).year
    except (TypeError, ValueError):
        return False
    return 1 < year < 9999  # to tell others in another time zone would overflow


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, _LISTS) and all(isinstance(one, str) for one in value)


def _is_signature(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("task"), str):
        return False
    args, *dicts = (value.get(name) for name in ("args", "kwargs", "options"))
    return isinstance(args, list | tuple | None) and all(isinstance(one, dict | None) for one in dicts)


def _are_signatures(value: Any) -> bool:
    return all(map(_is_signature, value if isinstance(value, _LISTS) else [value]))


def _is_data(name: str) -> bool:
    value = getattr(Context, name)
    return not (name.startswith("_") or callable(value) or isinstance(value, property))


_LISTS = (list, tuple)
# Headers, and what is embedded in the body, become attributes of `task.request`: these would hide its methods
# or its private state, and those would hide what the headers say.
_HIDDEN = frozenset(name for name in dir(Context) if not _is_data(name)) | {"called_directly", "is_eager"}
_LINKS = {
    **dict.fromkeys(("callbacks", "errbacks", "chain"), ("list of tasks", _are_signatures)),
    "chord": ("task", _is_signature),
}
_NOT_EMBEDDED = frozenset(dir(Context)) - set(_LINKS)
_FIELDS = {
    **dict.fromkeys(("eta", "expires"), ("moment", _is_moment)),
    **dict.fromkeys(("retries", "group_index", "replaced_task_nesting"), ("number", _is_number)),
    **dict.fromkeys(("shadow", "root_id", "parent_id", "group", "taskset", "reply_to"), ("text", _is_text)),
    **dict.fromkeys(("origin", "lang", "argsrepr", "kwargsrepr"), ("text", _is_text)),
    **dict.fromkeys(("headers", "stamps"), ("dict of names", _is_dict)),
    "stamped_headers": ("list of texts", _are_texts),
    "timelimit": ("pair of seconds", _are_seconds),
    **_LINKS,
}
_PROPERTIES = {
    **dict.fromkeys(("reply_to", "correlation_id"), ("text", _is_text)),
    "priority": ("number up to 255", _is_priority),
}
