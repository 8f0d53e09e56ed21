"""What a worker must not let in: messages that no publisher of tasks makes, on which it would break.

Celery reads some parts of a message in its main process without asking what they are, and a worker that ends
on one gets it again when it starts anew. The body of a message is decoded here, as Celery does next.

Source: celery/worker/strategy.py and request.py, Celery 5.7; each type was found by breaking a worker.
"""

from datetime import datetime
from typing import Any, NamedTuple

from celery.app.task import Context
from kombu.exceptions import ContentDisallowed, SerializerNotInstalled

from .dead_letters import record
from .nesting import DEEPEST, is_shallow
from .rabbitmq_transport import UNREADABLE

LARGEST_BODY = 16 * 2**20  # bytes; RabbitMQ 4 takes none larger, unless told otherwise


def _is_plain(name: str) -> bool:
    value = getattr(Context, name)
    return not callable(value) and not isinstance(value, property)


CANVAS = frozenset({"callbacks", "errbacks", "chain", "chord"})
# A message's headers and what is embedded in its body become attributes of `task.request`: these would
# hide its methods, or its private state.
_HIDDEN = frozenset(
    {"called_directly", "is_eager"}
    | {name for name in dir(Context) if name.startswith("_") or not _is_plain(name)}
)
_NOT_EMBEDDED = frozenset(dir(Context)) - CANVAS


class Problem(NamedTuple):
    """Why a message is turned away: one of `record.KINDS`, and what is wrong, for people."""

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
        return Problem(record.MALFORMED, str(error))
    if len(message.body or b"") > LARGEST_BODY:
        return Problem(record.TOO_LARGE, f"its body has more than {LARGEST_BODY} bytes")
    try:
        payload = message.payload
    except (ContentDisallowed, SerializerNotInstalled) as error:
        return Problem(record.REFUSED_CONTENT, str(error))
    except Exception as error:  # noqa: BLE001 - a decoder can raise anything
        return Problem(record.UNDECODABLE, f"{type(error).__name__}: {error}")
    try:
        if not is_shallow(payload) or not is_shallow(message.headers):
            return Problem(record.TOO_LARGE, f"it is nested more than {DEEPEST} deep")
        if "task" in message.headers:
            _check_body(payload)
        else:
            _check_old_body(payload)
    except _Malformed as error:
        return Problem(record.MALFORMED, str(error))
    return None


def _check_headers(headers: Any) -> None:
    _require(isinstance(headers, dict), "its headers are no dict")
    _require(all(isinstance(name, str) for name in headers), "a name in its headers is no text")
    _require(_HIDDEN.isdisjoint(headers), "its headers hide what a task's request is made of")
    if "task" not in headers:
        return  # Celery 3 had them in the body
    _check_name("task", headers["task"])
    _check_name("id", headers.get("id"))
    _check_fields(headers)
    _check_canvas(headers)


def _check_fields(fields: dict[str, Any]) -> None:
    """Check what the headers of a message state, or its body where Celery 3 has written it."""
    for name in ("eta", "expires"):
        _require(fields.get(name) is None or _is_moment(fields[name]), f"its {name} is no moment")
    for name in ("shadow", "root_id", "parent_id", "group", "taskset", "origin", "lang", "reply_to"):
        value = fields.get(name)
        _require(value is None or (isinstance(value, str) and _is_encodable(value)), f"its {name} is no text")
    for name in ("retries", "group_index", "replaced_task_nesting"):
        value = fields.get(name)
        _require(value is None or (_is_number(value, int) and 0 <= value < 2**31), f"its {name} is no number")
    for name in ("argsrepr", "kwargsrepr"):
        _require(isinstance(fields.get(name, ""), str | None), f"its {name} is no text")
    _check_time_limits(fields.get("timelimit"))
    stamped = fields.get("stamped_headers") or []
    fits = isinstance(stamped, list | tuple) and all(isinstance(name, str) for name in stamped)
    _require(fits, "its stamped_headers are no list of texts")
    for name in ("headers", "stamps"):
        _require(isinstance(fields.get(name), dict | None), f"its {name} are no dict")


def _check_time_limits(limits: Any) -> None:
    if limits is None:
        return
    _require(isinstance(limits, list | tuple) and len(limits) == 2, "its timelimit is no pair")
    for limit in limits:
        fits = limit is None or (_is_number(limit, int | float) and 0 <= limit < 2**31)
        _require(fits, "its timelimit is no pair of seconds")


def _check_properties(properties: Any) -> None:
    _require(isinstance(properties, dict), "its properties are no dict")
    _require(UNREADABLE not in properties, str(properties.get(UNREADABLE)))
    priority = properties.get("priority")
    _require(
        priority is None or (_is_number(priority, int) and 0 <= priority <= 255), "its priority is no number"
    )
    for name in ("reply_to", "correlation_id"):
        value = properties.get(name)
        _require(value is None or (isinstance(value, str) and _is_encodable(value)), f"its {name} is no text")


def _check_body(body: Any) -> None:
    _require(
        isinstance(body, list | tuple) and len(body) == 3, "its body is no list of args, kwargs and embed"
    )
    args, kwargs, embed = body
    _check_arguments(args, kwargs)
    embed = {} if embed is None else embed
    fits = isinstance(embed, dict) and all(isinstance(name, str) for name in embed)
    _require(
        fits and _NOT_EMBEDDED.isdisjoint(embed), "its embed is no dict of callbacks, chain and the like"
    )
    _check_canvas(embed)


def _check_old_body(body: Any) -> None:
    _require(isinstance(body, dict) and "task" in body, "it names no task")
    _check_name("task", body["task"])
    _check_name("id", body.get("id"))
    _check_arguments(body.get("args", []), body.get("kwargs", {}))
    _check_fields(body)
    _check_canvas(body)


def _check_arguments(args: Any, kwargs: Any) -> None:
    _require(isinstance(args, list | tuple), "its args are no list")
    _require(
        isinstance(kwargs, dict) and all(isinstance(key, str) for key in kwargs), "its kwargs are no dict"
    )


def _check_canvas(embed: dict[str, Any]) -> None:
    for name in ("callbacks", "errbacks", "chain"):
        value = embed.get(name)
        signatures = value if isinstance(value, list | tuple) else [value]
        _require(value is None or all(map(_is_signature, signatures)), f"its {name} are no tasks")
    chord = embed.get("chord")
    _require(chord is None or _is_signature(chord), "its chord is no task")


def _check_name(what: str, value: Any) -> None:
    fits = isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable() and _is_encodable(value)
    _require(fits and len(value.encode()) <= 255, f"its {what} is no text of 1 to 255 printable characters")


def _is_signature(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("task"), str)


def _is_moment(value: Any) -> bool:
    try:
        year = datetime.fromisoformat(value).year
    except (TypeError, ValueError):
        return False
    return 1 < year < 9999  # or to reckon with it, in another time zone, would overflow


def _is_number(value: Any, types: Any) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)


def _is_encodable(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _require(fits: bool, problem: str) -> None:
    if not fits:
        raise _Malformed(problem)
