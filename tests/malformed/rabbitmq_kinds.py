"""Kinds of malformed messages that only RabbitMQ carries: AMQP has types that JSON has not."""

import functools
import struct
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from .kinds import MALFORMED
from .message import ABSENT, Kind, Make, Message, packed, table, with_headers, with_properties


def kinds(task: str) -> Iterator[Kind]:
    """Yield them, made of messages for the task."""

    headers = functools.partial(with_headers, task)
    properties = functools.partial(with_properties, task)

    def raw(properties: bytes) -> Make:
        return lambda id_: Message(id_.encode(), {}, {}, packed_properties=properties)

    deep = table()
    for _ in range(2_000):
        deep = table((b"a", b"F" + deep))
    named = (b"task", b"S" + struct.pack(">I", len(task)) + task.encode())
    for name, make in {
        "bytes as id": headers(id=b"\xff\xfe"),
        "bytes as task": headers(task=b"\xff\xfe"),
        "a decimal as retries": headers(retries=Decimal("1.5")),
        "a timestamp as eta": headers(eta=datetime(2024, 1, 1)),
        "a table as group": headers(group={"a": {"b": [1, {"c": b"\xff"}]}}),
        "invalid UTF-8 in the id": headers(id="\ud800"),
        "no content type": properties(content_type=ABSENT),
        "no properties at all": lambda id_: Message(id_.encode(), None, {}),
        "an empty body": lambda id_: Message(b"", {"task": task, "id": id_}, {"content_type": "application/json"}),
        "an empty body without headers": lambda id_: Message(b"", None, {}),
        "a name in the headers that is no UTF-8": raw(packed(table(named, (b"\xff\xfe", b"t\x01")))),
        "invalid UTF-8 in the content type": properties(content_type=b"\xff\xfe"),
        "invalid UTF-8 in the correlation id": properties(correlation_id=b"\xff\xfe"),
        "invalid UTF-8 in reply_to": properties(reply_to="\ud800"),
        "a timestamp out of range": raw(packed(table(named, (b"eta", b"T" + b"\x7f" * 8)))),
        "headers nested 2,000 deep": raw(packed(deep)),
    }.items():
        yield Kind(f"RabbitMQ: {name}", MALFORMED, make)
