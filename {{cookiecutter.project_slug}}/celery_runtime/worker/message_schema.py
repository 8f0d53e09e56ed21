"""Check that a message is a task as Celery writes it: a worker breaks on some that are not.

Runs in: worker main process.

Celery reads parts of a message in its main process without looking at their types, and a worker that ends on
one gets it again when it starts anew. Each type below was found by breaking a worker.

Source: celery/worker/strategy.py and request.py, Celery 5.7.
"""

import re
from datetime import datetime
from typing import Any

from celery.app.task import Context
from kombu.exceptions import ContentDisallowed, SerializerNotInstalled

from celery_runtime import kinds
from celery_runtime.brokers.nesting import DEEPEST, is_shallow
from celery_runtime.brokers.rabbitmq_transport import UNREADABLE
from celery_runtime.text import is_name

LARGEST_BODY = 16 * 2**20  # bytes; RabbitMQ 4 takes none larger, unless told otherwise

# What each part must be, where it is stated: see `_is`.
LINKS = {**dict.fromkeys(("callbacks", "errbacks", "chain"), "list of tasks"), "chord": "task"}
FIELDS = {
    **dict.fromkeys(("eta", "expires"), "moment"),
    **dict.fromkeys(("retries", "group_index", "replaced_task_nesting"), "number"),
    **dict.fromkeys(("shadow", "root_id", "parent_id", "group", "taskset", "reply_to"), "text"),
    **dict.fromkeys(("origin", "lang", "argsrepr", "kwargsrepr"), "text"),
    **dict.fromkeys(("headers", "stamps"), "dict of names"),
    "stamped_headers": "list of texts",
    "timelimit": "pair of seconds",
    **LINKS,
}
PROPERTIES = {"reply_to": "text", "correlation_id": "text", "priority": "number up to 255"}


def _is_data(name: str) -> bool:
    value = getattr(Context, name)
    return not (name.startswith("_") or callable(value) or isinstance(value, property))


# Headers and `embed` become attributes of `task.request`. These would overwrite its methods and private
# state, and those what the headers say.
_HIDDEN = {name for name in dir(Context) if not _is_data(name)} | {"called_directly", "is_eager"}
_NOT_EMBEDDED = set(dir(Context)) - set(LINKS)
_SURROGATE = re.compile("[\ud800-\udfff]")  # a text with one cannot be encoded


class Rejection(Exception):
    """Why a message is rejected: one of the kinds of `message` in kinds.py, and the reason, for people."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = reason


def check(message: Any) -> None:
    """Raise `Rejection` where no worker can run a `kombu.Message`; decode its body, as Celery does next."""
    properties, headers = message.properties, message.headers
    _require(isinstance(properties, dict), "its properties are not a dict")
    _require(UNREADABLE not in properties, str(properties.get(UNREADABLE)))
    _check_types(properties, PROPERTIES)
    _require(_is("dict of names", headers), "its headers are not a dict of names")
    is_of_celery_3 = "task" not in headers  # which wrote everything into the body
    if not is_of_celery_3:
        _check_fields(headers)
    if len(message.body or b"") > LARGEST_BODY:
        raise Rejection(kinds.TOO_LARGE, f"its body has more than {LARGEST_BODY} bytes")
    payload = _decoded(message)
    if not is_shallow(payload) or not is_shallow(headers):
        raise Rejection(kinds.TOO_LARGE, f"it is nested more than {DEEPEST} deep")
    if is_of_celery_3:
        _require(_is("dict of names", payload) and "task" in payload, "it names no task")
        fields = {**payload, **headers}  # Celery lets the headers win
        _check_fields(fields)
        args, kwargs, embed = fields.get("args", []), fields.get("kwargs", {}), None
    else:
        is_body = _is("list", payload) and len(payload) == 3
        _require(is_body, "its body is not a list of args, kwargs and embed")
        args, kwargs, embed = payload
    _require(_is("list", args), "its args are not a list")
    _require(_is("dict of names", kwargs), "its kwargs are not a dict of names")
    if embed:
        is_embed = _is("dict of names", embed) and _NOT_EMBEDDED.isdisjoint(embed)
        _require(is_embed, "its embed is not a dict of links")
        _check_types(embed, LINKS)


def _decoded(message: Any) -> Any:
    try:
        return message.payload
    except (ContentDisallowed, SerializerNotInstalled) as error:
        raise Rejection(kinds.REFUSED_CONTENT, str(error)) from error
    except Exception as error:  # a decoder can raise anything
        raise Rejection(kinds.UNDECODABLE, f"{type(error).__name__}: {error}") from error


def _check_fields(fields: dict[str, Any]) -> None:
    _require(_HIDDEN.isdisjoint(fields), "its headers hide attributes of a task's request")
    for name in ("task", "id"):
        _require(is_name(fields.get(name)), f"its {name} is not a printable text of 1 to 255 bytes")
    _check_types(fields, FIELDS)


def _check_types(parts: dict[str, Any], types: dict[str, str]) -> None:
    for name, words in types.items():
        if (value := parts.get(name)) is not None and not _is(words, value):
            raise Rejection(kinds.MALFORMED, f"its {name} is not a {words}")


def _require(is_right: bool, reason: str) -> None:
    if not is_right:
        raise Rejection(kinds.MALFORMED, reason)


def _is(words: str, value: Any) -> bool:
    """Return whether a value is what these words say."""
    match words:
        case "text":
            return isinstance(value, str) and not _SURROGATE.search(value)
        case "number":
            return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
        case "number up to 255":
            return _is("number", value) and value <= 255
        case "seconds":
            return value is None or _is("number", value) or (isinstance(value, float) and 0 <= value < 2**31)
        case "pair of seconds":
            return _is("list", value) and len(value) == 2 and all(_is("seconds", one) for one in value)
        case "moment":
            try:
                return 1 < datetime.fromisoformat(value).year < 9999  # others overflow in another time zone
            except (TypeError, ValueError):
                return False
        case "list":
            return isinstance(value, list | tuple)
        case "list of texts":
            return _is("list", value) and all(isinstance(one, str) for one in value)
        case "dict of names":
            return isinstance(value, dict) and all(isinstance(name, str) for name in value)
        case "list of tasks":
            return all(_is("task", one) for one in (value if _is("list", value) else [value]))
        case "task":
            parts = {"task": str, "args": list | tuple | None, "kwargs": dict | None, "options": dict | None}
            is_dict = isinstance(value, dict)
            return is_dict and all(isinstance(value.get(name), types) for name, types in parts.items())
    raise ValueError(words)
