"""What a worker must not let in: messages that no publisher of tasks makes, on which it would break.

Celery reads some parts of a message in its main process without asking what they are, and a worker that ends
on one gets it again when it starts anew. The body of a message is decoded here, as Celery does next.

Source: celery/worker/strategy.py and request.py, Celery 5.7; each type was found by breaking a worker.
"""

from datetime import datetime
from typing import Any, NamedTuple

from kombu.exceptions import ContentDisallowed, SerializerNotInstalled

from .dead_letters import record

LARGEST_BODY = 16 * 2**20  # bytes; RabbitMQ 4 takes none larger, unless told otherwise
DEEPEST = 200  # levels of lists and dicts; pickle, by which a message reaches a process, gives up below 500


class Problem(NamedTuple):
    """Why a message is turned away: one of `record.KINDS`, and what is wrong, for people."""

    kind: str
    text: str


class _Malformed(Exception):
    pass


def problem_of(message: Any) -> Problem | None:
    """Return what keeps a worker from reading a `kombu.Message`, None where it is a task as Celery writes it."""
    try:
        _check_headers(message.headers)
        _check_properties(message.properties)
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
        if not _is_shallow(payload) or not _is_shallow(message.headers):
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
    if "task" not in headers:
        return  # Celery 3 had them in the body
    _check_name("task", headers["task"])
    _check_name("id", headers.get("id"))
    _check_fields(headers)


def _check_fields(fields: dict[str, Any]) -> None:
    """Check what the headers of a message state, or its body where Celery 3 has written it."""
    for name in ("eta", "expires"):
        _require(fields.get(name) is None or _is_moment(fields[name]), f"its {name} is no moment")
    for name in ("shadow", "root_id", "parent_id", "group", "origin", "lang", "reply_to"):
        value = fields.get(name)
        _require(value is None or (isinstance(value, str) and _is_encodable(value)), f"its {name} is no text")
    for name in ("retries", "group_index", "replaced_task_nesting"):
        value = fields.get(name)
        _require(value is None or (_is_number(value, int) and 0 <= value < 2**31), f"its {name} is no number")
    for name in ("argsrepr", "kwargsrepr"):
        _require(isinstance(fields.get(name, ""), str | None), f"its {name} is no text")
    _check_time_limits(fields.get("timelimit"))
    _require(isinstance(fields.get("stamped_headers"), list | None), "its stamped_headers are no list")
    _require(isinstance(fields.get("stamps"), dict | None), "its stamps are no dict")


def _check_time_limits(limits: Any) -> None:
    if limits is None:
        return
    _require(isinstance(limits, list | tuple) and len(limits) == 2, "its timelimit is no pair")
    for limit in limits:
        fits = limit is None or (_is_number(limit, int | float) and 0 <= limit < 2**31)
        _require(fits, "its timelimit is no pair of seconds")


def _check_properties(properties: Any) -> None:
    _require(isinstance(properties, dict), "its properties are no dict")
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
    _require(isinstance(embed, dict | None), "its embed is no dict")
    _check_canvas(embed or {})


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
        _require(
            value is None or all(isinstance(one, dict) for one in signatures), f"its {name} are no tasks"
        )
    _require(isinstance(embed.get("chord"), dict | None), "its chord is no task")


def _check_name(what: str, value: Any) -> None:
    fits = isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable() and _is_encodable(value)
    _require(fits and len(value.encode()) <= 255, f"its {what} is no text of 1 to 255 printable characters")


def _is_moment(value: Any) -> bool:
    try:
        datetime.fromisoformat(value).timestamp()
    except (OSError, OverflowError, TypeError, ValueError):
        return False
    return True


def _is_number(value: Any, types: Any) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)


def _is_encodable(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _is_shallow(value: Any) -> bool:
    """Whether no list or dict in the value is deeper than `DEEPEST`, found without recursion."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list | tuple)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False


def _require(fits: bool, problem: str) -> None:
    if not fits:
        raise _Malformed(problem)
