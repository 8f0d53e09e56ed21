"""A message as its publisher makes it, before a transport has packed it."""

import base64
import json
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

QUEUE = "tasks"
ABSENT = object()


@dataclass
class Message:
    """A message for either broker.

    Attributes:
        properties: by the names of AMQP: `content_type`, `priority`, …
        envelope: what replaces parts of the JSON that kombu keeps on Redis.
        packed_properties: what is sent in place of `properties` and `headers` on RabbitMQ.
    """

    body: bytes
    headers: Any
    properties: dict[str, Any]
    envelope: dict[str, Any] = field(default_factory=dict)
    packed_properties: bytes | None = None

    def for_redis(self) -> bytes:
        properties = dict(self.properties)
        envelope = {
            "body": base64.b64encode(self.body).decode(),
            "content-type": properties.pop("content_type", None),
            "content-encoding": properties.pop("content_encoding", None),
            "headers": self.headers,
            "properties": {
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
                "delivery_info": {"exchange": "", "routing_key": QUEUE},
                **properties,
            },
        }
        return json.dumps(present({**envelope, **self.envelope})).encode()


# A message, or bytes that are pushed into the list of a queue on Redis.
Item = Message | bytes
# Makes an item; the id is in it wherever the kind has room for one.
Make = Callable[[str], Item]


class Kind(NamedTuple):
    """A kind of malformed message. `expected` is the kind of its dead letters; `most` bounds how many are sent."""

    name: str
    expected: str
    make: Make
    most: int = 100


def valid(task: str, id_: str, *args: Any, **embed: Any) -> Message:
    """Return a message as Celery writes it."""
    return Message(
        json.dumps([args, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None, **embed}]).encode(),
        {
            "lang": "py",
            "task": task,
            "id": id_,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": id_,
            "parent_id": None,
            "argsrepr": repr(args)[:1024],  # one frame of AMQP holds all headers
            "kwargsrepr": "{}",
            "origin": "gen1@host",
            "ignore_result": False,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        },
        {
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "correlation_id": id_,
            "priority": 5,
            "delivery_mode": 2,
        },
    )


def old(task: str, id_: str, *args: Any, **fields: Any) -> Message:
    """Return a message as Celery 3 wrote it."""
    body = present({"task": task, "id": id_, "args": args, "kwargs": {}, "retries": 0, "eta": None, **fields})
    message = valid(task, id_)
    message.headers = {}
    message.body = json.dumps(body).encode()
    return message


def present(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value is not ABSENT}


def with_headers(task: str, /, **changes: Any) -> Make:
    """Make valid messages of the task but for these headers; `ABSENT` takes one away."""

    def make(id_: str) -> Item:
        message = valid(task, id_)
        message.headers = present({**message.headers, **changes})
        return message

    return make


def with_properties(task: str, /, **changes: Any) -> Make:
    """Make valid messages of the task but for these properties; `ABSENT` takes one away."""

    def make(id_: str) -> Item:
        message = valid(task, id_)
        message.properties = present({**message.properties, **changes})
        return message

    return make


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def table(*fields: tuple[bytes, bytes]) -> bytes:
    """Return an AMQP table of names and values, each value with the letter of its type before it."""
    packed = b"".join(struct.pack(">B", len(name)) + name + value for name, value in fields)
    return struct.pack(">I", len(packed)) + packed


def packed(headers: bytes, content_type: bytes = b"application/json") -> bytes:
    """Return AMQP's properties of a message: its content type and its headers, a `table`."""
    return struct.pack(">HB", 0x8000 | 0x2000, len(content_type)) + content_type + headers
