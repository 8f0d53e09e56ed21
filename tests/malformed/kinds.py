"""Kinds of malformed messages that either broker carries."""

import functools
import json
import zlib
from collections.abc import Iterator
from typing import Any

from .message import ABSENT, Item, Kind, Make, Message, nested, old, valid, with_headers, with_properties

MALFORMED = "message.malformed"
UNDECODABLE = "message.undecodable"
REFUSED_CONTENT = "message.refused_content"
TOO_LARGE = "message.too_large"
UNKNOWN_TASK = "message.unknown_task"
UNEXPECTED = "unexpected"

DEEP = 900
LARGE = 16 * 2**20 + 1
NO_MOMENTS = {
    "a word": "soon",
    "a number": 5,
    "a list": [],
    "out of range": "2024-13-01T00:00:00",
    "an overflow": "9999-12-31T23:59:59-23:00",
    "an underflow": "0001-01-01T00:00:00+23:00",
}


def kinds(task: str) -> Iterator[Kind]:
    """Yield them, made of messages for the task."""

    headers = functools.partial(with_headers, task)
    properties = functools.partial(with_properties, task)

    def body(value: bytes | Any) -> Make:
        def make(id_: str) -> Item:
            message = valid(task, id_)
            message.body = value if isinstance(value, bytes) else json.dumps(value).encode()
            return message

        return make

    def embed(**parts: Any) -> Make:
        return lambda id_: valid(task, id_, **parts)

    def compressed(method: Any, encode: Any = bytes) -> Make:
        def make(id_: str) -> Item:
            message = valid(task, id_)
            message.headers["compression"] = method
            message.body = encode(message.body)
            return message

        return make

    for name, make in {
        "no headers": lambda id_: Message(b"[[], {}, {}]", {}, {"content_type": "application/json"}),
        "no task": headers(task=ABSENT),
        "no id": headers(id=ABSENT),
        "id is null": headers(id=None),
        "id is a number": headers(id=7),
        "id is a list": headers(id=[1]),
        "id is empty": headers(id=""),
        "id of 1 kB": headers(id="x" * 1024),
        "id has a lone surrogate": headers(id="a\ud800"),
        "id has a line break": headers(id="a\n"),
        "task is a number": headers(task=7),
        "task is empty": headers(task=""),
        "task is a list": headers(task=[task]),
        "task has a lone surrogate": headers(task="\udfff"),
        "timelimit is a text": headers(timelimit="zz"),
        "timelimit has one element": headers(timelimit=[1]),
        "timelimit is negative": headers(timelimit=[-1, None]),
        "timelimit of texts": headers(timelimit=["1", "2"]),
        "retries is a text": headers(retries="many"),
        "retries is huge": headers(retries=2**62),
        "retries is negative": headers(retries=-1),
        "group is a list": headers(group=[1]),
        "root_id is a dict": headers(root_id={}),
        "shadow is a list": headers(shadow=["x"]),
        "stamped_headers of lists": headers(stamped_headers=[[1]], stamps={"a": 1}),
        "stamps is a list": headers(stamps=[1]),
        "headers hide a method": headers(get=1),
        "headers hide private state": headers(_protected=1),
        "body is no list": body({"args": 1}),
        "body is a number": body(7),
        "body has two elements": body([[], {}]),
        "args is a dict": body([{}, {}, {}]),
        "args is null": body([None, {}, {}]),
        "kwargs is a list": body([[], [], {}]),
        "embed is a list": body([[], {}, [1]]),
        "embed hides a method": embed(get=1),
        "embed hides the id": embed(id="another"),
        "callbacks are numbers": embed(callbacks=[1]),
        "errbacks are dicts without a task": embed(errbacks=[{}]),
        "chain is a text": embed(chain="abc"),
        "chord is a number": embed(chord=7),
        "chord names no task": embed(chord={"args": []}),
        "body of nothing": body(b""),
        "Celery 3 without an id": lambda id_: old(task, id_, id=ABSENT),
        "Celery 3 with kwargs as a list": lambda id_: old(task, id_, kwargs=[1]),
        "Celery 3 with a wrong timelimit": lambda id_: old(task, id_, timelimit="zz"),
        "Celery 3 with a list as taskset": lambda id_: old(task, id_, taskset=[1]),
    }.items():
        yield Kind(name, MALFORMED, make)
    for what, value in NO_MOMENTS.items():
        yield Kind(f"eta is {what}", MALFORMED, headers(eta=value))
        yield Kind(f"expires is {what}", MALFORMED, headers(expires=value))
    for name, make in {
        "JSON cut off": body(b"[[1, 2"),
        "invalid UTF-8": body(b'[["\xff\xfe"], {}, {}]'),
        "an integer of 10,000 digits": body(b"[[%s], {}, {}]" % (b"9" * 10_000)),
        "JSON nested too deep to decode": body(b"[" * 100_000),
        "a text in an unknown encoding": properties(content_type="application/data", content_encoding="no-such"),
        "unknown compression": compressed("no-such"),
        "wrong compression": compressed("application/x-gzip"),
        "compression cut off": compressed("application/x-gzip", lambda text: zlib.compress(text)[:-5]),
    }.items():
        yield Kind(name, UNDECODABLE, make)
    for name, make in {
        "unknown content type": properties(content_type="application/no-such"),
        "pickle": properties(content_type="application/x-python-serialize", content_encoding="binary"),
        "YAML": properties(content_type="application/x-yaml"),
    }.items():
        yield Kind(name, REFUSED_CONTENT, make)
    for name, make in {
        "args nested 900 deep": body([nested(DEEP), {}, {}]),
        "kwargs nested 900 deep": body([[], {"a": nested(DEEP)}, {}]),
        "embed nested 900 deep": embed(extra=nested(DEEP)),
    }.items():
        yield Kind(name, TOO_LARGE, make)
    yield Kind("a body over the limit", TOO_LARGE, lambda id_: valid(task, id_, "x" * LARGE), most=3)
    yield Kind("unknown task", UNKNOWN_TASK, headers(task="nobody.knows"))
    yield Kind("arguments that do not fit", UNEXPECTED, lambda id_: valid(f"{task.rpartition('.')[0]}.strict", id_))
