"""Check that a message is a task as Celery writes it: a worker breaks on some that are not.

Runs in: worker main process. There Celery reads parts of a message without looking at their types, and a worker that
ends on one gets it again when it starts anew. Each type below was found by breaking a worker. Source:
celery/worker/strategy.py and request.py, Celery 5.7.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from inspect import getmembers
from typing import Any

from celery.app.task import Context
from kombu.exceptions import ContentDisallowed, SerializerNotInstalled

from celery_runtime import kinds
from celery_runtime.brokers.nesting import DEEPEST, is_shallow
from celery_runtime.brokers.rabbitmq_transport import UNREADABLE
from celery_runtime.text import is_name

LARGEST_BODY = 16 * 2**20  # bytes; RabbitMQ 4 takes none larger, unless told otherwise
_SURROGATE = re.compile("[\ud800-\udfff]")  # a text with one cannot be encoded
_TASK: dict[str, Any] = {"task": str, "args": list | tuple | None, "kwargs": dict | None, "options": dict | None}


def _is_moment(value: Any) -> bool:
    try:
        return 1 < datetime.fromisoformat(value).year < 9999  # others overflow in another time zone
    except (TypeError, ValueError):
        return False


IS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str) and not _SURROGATE.search(value),
    "number": lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31,
    "number up to 255": lambda value: IS["number"](value) and value <= 255,
    "seconds": lambda value: value is None or IS["number"](value) or (isinstance(value, float) and 0 <= value < 2**31),
    "pair of seconds": lambda pair: IS["list"](pair) and len(pair) == 2 and all(IS["seconds"](one) for one in pair),
    "moment": _is_moment,
    "list": lambda value: isinstance(value, list | tuple),
    "list of texts": lambda value: IS["list"](value) and all(isinstance(one, str) for one in value),
    "dict of names": lambda value: isinstance(value, dict) and all(isinstance(name, str) for name in value),
    "task": lambda value: isinstance(value, dict) and all(isinstance(value.get(name), _TASK[name]) for name in _TASK),
    "list of tasks": lambda value: all(IS["task"](one) for one in (value if IS["list"](value) else [value])),
}

# What each part must be, where it is stated.
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

# Headers and `embed` become attributes of `task.request`. These would overwrite its methods and private
# state, and those what the headers say.
_METHODS = dict(getmembers(Context, lambda value: callable(value) or isinstance(value, property)))
_HIDDEN = {name for name in dir(Context) if name.startswith("_")}.union(_METHODS, ("called_directly", "is_eager"))
_NOT_EMBEDDED = set(dir(Context)) - set(LINKS)


class Rejection(Exception):
    """Why a message is rejected: one of the kinds of `message` in kinds.py, and the reason, for people."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind, self.reason = kind, reason


def check(message: Any) -> None:
    """Raise `Rejection` where no worker can run a `kombu.Message`; decode its body, as Celery does next."""
    properties, headers = message.properties, message.headers
    _require(isinstance(properties, dict), "its properties are not a dict")
    _require(UNREADABLE not in properties, str(properties.get(UNREADABLE)))
    _check_types(properties, PROPERTIES)
    _require(IS["dict of names"](headers), "its headers are not a dict of names")
    if "task" in headers:
        _check_fields(headers)
    _require(len(message.body or b"") <= LARGEST_BODY, f"its body has more than {LARGEST_BODY} bytes", kinds.TOO_LARGE)
    try:
        payload = message.payload
    except (ContentDisallowed, SerializerNotInstalled) as error:
        raise Rejection(kinds.REFUSED_CONTENT, str(error)) from error
    except Exception as error:  # a decoder can raise anything
        raise Rejection(kinds.UNDECODABLE, f"{type(error).__name__}: {error}") from error
    _require(is_shallow(payload) and is_shallow(headers), f"it is nested more than {DEEPEST} deep", kinds.TOO_LARGE)
    if "task" in headers:
        _require(IS["list"](payload) and len(payload) == 3, "its body is not a list of args, kwargs and embed")
        args, kwargs, embed = payload
    else:  # Celery 3 wrote everything into the body
        _require(IS["dict of names"](payload) and "task" in payload, "it names no task")
        fields = {**payload, **headers}  # Celery lets the headers win
        _check_fields(fields)
        args, kwargs, embed = fields.get("args", []), fields.get("kwargs", {}), None
    _require(IS["list"](args), "its args are not a list")
    _require(IS["dict of names"](kwargs), "its kwargs are not a dict of names")
    if embed:
        _require(IS["dict of names"](embed) and _NOT_EMBEDDED.isdisjoint(embed), "its embed is not a dict of links")
        _check_types(embed, LINKS)


def request_of(message: Any) -> Context | None:
    """Return what can be read of the request of a message, its id, group and links; None where it has no id."""
    fields, links = message.headers, {}
    with suppress(Exception):  # a decoder can raise anything
        _require(len(message.body or b"") <= LARGEST_BODY, "")
        payload = message.payload
        embed = payload[2] if "task" in fields else payload
        _require(is_shallow(embed), "")
        _check_types(embed, LINKS)
        links = {name: embed.get(name) for name in LINKS}
        if "task" not in fields:
            fields = payload
    if not IS["dict of names"](fields) or not is_name(fields.get("id")):
        return None
    known = {name: fields.get(name) for name in ("id", "task", "group", "group_index", "root_id")}
    properties = message.properties if isinstance(message.properties, dict) else {}
    told = {name: properties.get(name) for name in ("reply_to", "correlation_id")}
    return Context({**known, **told, **links, "delivery_info": {}})


def _check_fields(fields: dict[str, Any]) -> None:
    _require(_HIDDEN.isdisjoint(fields), "its headers hide attributes of a task's request")
    for name in ("task", "id"):
        _require(is_name(fields.get(name)), f"its {name} is not a printable text of 1 to 255 bytes")
    _check_types(fields, FIELDS)


def _check_types(parts: dict[str, Any], types: dict[str, str]) -> None:
    for name, words in types.items():
        value = parts.get(name)
        _require(value is None or IS[words](value), f"its {name} is not a {words}")


def _require(is_right: bool, reason: str, kind: str = kinds.MALFORMED) -> None:
    if not is_right:
        raise Rejection(kind, reason)
