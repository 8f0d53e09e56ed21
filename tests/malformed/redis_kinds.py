"""Kinds of malformed messages that only Redis carries, whose lists take everything."""

import json
from collections.abc import Iterator
from typing import Any

from .kinds import DEEP, MALFORMED, REFUSED_CONTENT, UNDECODABLE
from .message import ABSENT, QUEUE, Item, Kind, Make, nested, present, valid


def kinds(task: str) -> Iterator[Kind]:
    """Yield them, made of messages for the task."""

    def envelope(**changes: Any) -> Make:
        def make(id_: str) -> Item:
            message = valid(task, id_)
            message.envelope = {name.replace("_", "-"): value for name, value in changes.items()}
            return message

        return make

    def properties(**changes: Any) -> Make:
        def make(id_: str) -> Item:
            message = valid(task, id_)
            parts = json.loads(message.for_redis())["properties"]
            message.envelope = {"properties": present({**parts, **changes})}
            return message

        return make

    def route(exchange: Any, routing_key: Any) -> Make:
        return properties(delivery_info={"exchange": exchange, "routing_key": routing_key})

    def replaced(old: bytes, new: bytes) -> Make:
        return lambda id_: valid(task, id_).for_redis().replace(old, new)

    for name, make in {
        "headers missing": envelope(headers=ABSENT),
        "headers are a list": envelope(headers=[1]),
        "headers are a text": envelope(headers="task"),
        "headers nested 900 deep": envelope(headers={"a": nested(DEEP)}),
        "priority is a text": properties(priority="high"),
        "priority is negative": properties(priority=-1),
        "priority is a float": properties(priority=2.5),
        "priority is infinite": properties(priority=float("inf")),
        "priority is a list": properties(priority=[5]),
        "properties missing": envelope(properties=ABSENT),
        "properties are a list": envelope(properties=[1]),
        "properties are null": envelope(properties=None),
        "no delivery tag": properties(delivery_tag=ABSENT),
        "delivery tag is a list": properties(delivery_tag=[1]),
        "delivery tag has a lone surrogate": properties(delivery_tag="\ud800"),
        "no delivery info": properties(delivery_info=ABSENT),
        "delivery info is a text": properties(delivery_info="tasks"),
        "delivery info is null": properties(delivery_info=None),
        "routing key is a number": route("", 7),
        "routing key of a queue that is not there": route("", "no-such"),
        "exchange that is not there": route("no-such", QUEUE),
        "exchange is a list": route([], QUEUE),
        "unknown body encoding": properties(body_encoding="no-such"),
        "body encoding is a list": properties(body_encoding=[1]),
        "correlation id is a list": properties(correlation_id=[1]),
        "reply_to is a dict": properties(reply_to={}),
        "base64 that is none": envelope(body="ä%%%"),
        "base64 cut off": envelope(body="W1td"[:-3]),
        "body is a number": envelope(body=7),
        "body is a dict": envelope(body={"a": 1}),
        "no JSON": lambda id_: f"hello {id_}".encode(),
        "bytes that are no UTF-8": lambda id_: b"\xff\xfe" + id_.encode(),
        "nothing at all": lambda id_: b"",
        "JSON that is a number": lambda id_: b"7",
        "JSON that is a list": lambda id_: json.dumps([id_]).encode(),
        "JSON that is null": lambda id_: b"null",
        "JSON that is a text": lambda id_: json.dumps(id_).encode(),
        "an empty object": lambda id_: b"{}",
        "JSON nested 900 deep": lambda id_: json.dumps(nested(DEEP)).encode(),
        "JSON nested 100,000 deep": lambda id_: b"[" * 100_000,
        "JSON cut off": lambda id_: valid(task, id_).for_redis()[:-20],
        "a byte that is no UTF-8": replaced(b'"id": "', b'"id": "\xff'),
        "priority of 10,000 digits": replaced(b'"priority": 5', b'"priority": ' + b"9" * 10_000),
    }.items():
        yield Kind(f"Redis: {name}", MALFORMED, make)
    yield Kind("Redis: content type is a list", UNDECODABLE, envelope(content_type=[1]))
    yield Kind("Redis: content type is a number", REFUSED_CONTENT, envelope(content_type=7))
    yield Kind("Redis: content encoding is a number", UNDECODABLE, envelope(content_encoding=7))
    yield Kind("Redis: no content type", MALFORMED, envelope(content_type=ABSENT))
    yield Kind("Redis: content type has a lone surrogate", REFUSED_CONTENT, envelope(content_type="\ud800"))
