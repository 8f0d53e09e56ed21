"""Random messages: valid ones, valid ones with random changes, and random bytes. The same seed makes the same."""

import json
import random
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from .message import QUEUE, Item, Message, nested, old, valid
from .tasks import NOTE, STRICT

NAMES = (
    *("id", "task", "eta", "expires", "retries", "timelimit", "group", "group_index", "root_id", "parent_id"),
    *(
        "shadow",
        "argsrepr",
        "kwargsrepr",
        "origin",
        "lang",
        "ignore_result",
        "replaced_task_nesting",
        "stamps",
    ),
    *(
        "stamped_headers",
        "compression",
        "utc",
        "taskset",
        "headers",
        "properties",
        "delivery_info",
        "hostname",
    ),
    *(
        "args",
        "kwargs",
        "callbacks",
        "errbacks",
        "chain",
        "chord",
        "is_eager",
        "called_directly",
        "get",
        "update",
    ),
    *("_protected", "_children", "children", "__class__", "__dict__", "as_execution_options", "redelivered"),
    *(
        "error_policy",
        "dead_letter_requeues",
        "reply_to",
        "correlation_id",
        "time_limit",
        "soft_time_limit",
        "x",
    ),
)
CONTENT_TYPES = (
    *("application/json", "application/x-python-serialize", "application/x-yaml", "application/x-msgpack"),
    *("application/data", "application/text", "text/plain", "", "no-such"),
)
ENCODINGS = ("utf-8", "binary", "latin-1", "utf-16", "ascii", "hex", "rot13", "zlib", "", "no-such")
COMPRESSIONS = ("gzip", "application/x-gzip", "application/x-bz2", "zstd", "no-such")
TEXTS = (
    "",
    "a",
    "tasks",
    "ä 日本 🐇",
    "\ud800",
    "\x00\x1b[31m\n",
    "%s %(x)s {}",
    "../../x",
    "x" * 300,
    "null",
)
NUMBERS = (0, 1, -1, 5, 2**31 - 1, 2**31, 2**63 - 1, -(2**63), 0.0, 0.01, -0.5, 1e300)
ONLY_IN_JSON = (2**64, 10**300, float("inf"), float("-inf"), float("nan"))
PARTS_OF_ENVELOPE = ("body", "content-type", "content-encoding", "headers", "properties")
MEGABYTE = 2**20


class Random(NamedTuple):
    """One random message: its marker, what sort it is of, and itself."""

    marker: str
    sort: str
    item: Item


def items(package: str, broker: str, number: int, seed: int) -> Iterator[Random]:
    chance = random.Random(seed)
    fuzzer = Fuzzer(chance, package, broker)
    sorts = {
        fuzzer.valid: 25,
        fuzzer.mutated: 45,
        fuzzer.random_body: 6,
        fuzzer.deep: 6,
        fuzzer.huge_number: 4,
        fuzzer.megabyte: 1,
    }
    if broker == "redis":
        sorts |= {fuzzer.mutated_envelope: 12, fuzzer.random_bytes: 8}
    makers = chance.choices(list(sorts), list(sorts.values()), k=number)
    for count, make in enumerate(makers):
        marker = f"m{count:07d}x"
        yield Random(marker, make.__name__, make(marker))


class Fuzzer:
    """Makes messages of each sort; a method's name is that of the sort."""

    def __init__(self, chance: random.Random, package: str, broker: str) -> None:
        self.chance = chance
        self.note = f"{package}.{NOTE}"
        self.strict = f"{package}.{STRICT}"
        self.broker = broker

    def valid(self, marker: str) -> Message:
        make = valid if self.chance.random() < 0.8 else old
        task = self.note if self.chance.random() < 0.8 else self.strict
        message = make(task, marker, marker, *(self._value() for _ in range(self.chance.randrange(3))))
        if self.chance.random() < 0.1:
            message.headers["compression"] = "application/x-gzip"
            message.body = zlib.compress(message.body)
        return message

    def mutated(self, marker: str) -> Message:
        message = self.valid(marker)
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            change = self.chance.choice(
                (self._change_header, self._change_header, self._change_property, self._change_body)
            )
            change(message, marker)
        return message

    def random_body(self, marker: str) -> Message:
        message = valid(self.note, marker)
        message.body = self.chance.randbytes(self.chance.randrange(200))
        return message

    def deep(self, marker: str) -> Message:
        depth = self.chance.choice((50, 150, 199, 250, 400, 700, 900, 950))
        if self.chance.random() < 0.3:
            message = valid(self.note, marker, marker)
            message.body = b'[["%s", %s' % (marker.encode(), b"[" * self.chance.choice((1_000, 100_000)))
            return message
        if self.chance.random() < 0.5:
            return valid(self.note, marker, nested(depth))
        message = valid(self.note, marker, marker)
        message.headers["x"] = nested(min(depth, 400 if self.broker == "rabbitmq" else depth))
        return message

    def huge_number(self, marker: str) -> Message:
        message = valid(self.note, marker, marker)
        digits = b"9" * self.chance.choice((20, 400, 4_000, 5_000, 20_000))
        number = self.chance.choice((digits, b"-" + digits, b"1e" + digits[:5], b"0." + digits))
        message.body = b'[["%s", %s], {}, {}]' % (marker.encode(), number)
        return message

    def megabyte(self, marker: str) -> Message:
        message = valid(self.note, marker, marker, "x" * MEGABYTE)
        if self.broker == "redis" and self.chance.random() < 0.3:
            message.headers[self.chance.choice(NAMES[2:])] = "y" * MEGABYTE
        return message

    def mutated_envelope(self, marker: str) -> Message:
        message = self.mutated(marker)
        parts = json.loads(message.for_redis())
        if self.chance.random() < 0.4:
            name = self.chance.choice(PARTS_OF_ENVELOPE)
            value = self._value()
            if isinstance(value, dict):
                value.pop("id", None)  # two of one id would be one dead letter
            message.envelope = {name: value}
        else:
            name = self.chance.choice((*parts["properties"], "x"))
            properties = {**parts["properties"], name: self._value()}
            if self.chance.random() < 0.3:
                del properties[name]
            if name == "delivery_tag" and isinstance(properties.get(name), str):
                properties[name] += marker  # two of one tag would be one message to kombu
            message.envelope = {"properties": properties}
        return message

    def random_bytes(self, marker: str) -> bytes:
        sort = self.chance.randrange(5)
        text = valid(self.note, marker).for_redis()
        if sort == 0:
            return text[: self.chance.randrange(1, len(text))]
        if sort == 1:
            place = self.chance.randrange(len(text))
            return text[:place] + b"\xff" + text[place:]
        if sort == 2:
            return json.dumps(self._value()).encode(errors="replace")
        if sort == 3:
            return self.chance.choice((b"[", b'{"a":')) * self.chance.choice((10, 500, 900, 100_000))
        return b"\xff" + self.chance.randbytes(self.chance.randrange(100))

    def _change_header(self, message: Message, marker: str) -> None:
        name = self.chance.choice(NAMES)
        if self.chance.random() < 0.2:
            message.headers.pop(name, None)
        else:
            message.headers[name] = self._field(name, marker)

    def _change_property(self, message: Message, marker: str) -> None:
        name = self.chance.choice(("content_type", "content_encoding", "priority", "reply_to", "correlation_id"))
        if self.chance.random() < 0.3:
            message.properties.pop(name, None)
        elif name == "content_type":
            message.properties[name] = self.chance.choice(CONTENT_TYPES)
        elif name == "content_encoding":
            message.properties[name] = self.chance.choice(ENCODINGS)
        elif self.broker == "redis":
            message.properties[name] = self._value()
        elif name == "priority":
            message.properties[name] = self.chance.randrange(256)
        else:
            message.properties[name] = self.chance.choice((b"\xff\xfe", "ä", "", "x" * 60, self.chance.randbytes(20)))

    def _change_body(self, message: Message, marker: str) -> None:
        if message.headers.get("compression"):
            return
        body = json.loads(message.body) if message.body[:1] in b"[{" else None
        if isinstance(body, list) and len(body) == 3 and self.chance.random() < 0.8:
            place = self.chance.randrange(4)
            if place < 3:
                body[place] = self._value()
            elif isinstance(body[2], dict):
                name = self.chance.choice(("callbacks", "errbacks", "chain", "chord", *NAMES))
                body[2][name] = self._signatures() if self.chance.random() < 0.5 else self._field(name, marker)
        elif isinstance(body, dict) and self.chance.random() < 0.8:
            name = self.chance.choice(("id", "task", "args", "kwargs", *NAMES))
            body[name] = self._field(name, marker)
        else:
            body = self._value()
        message.body = json.dumps(body).encode()

    def _field(self, name: str, marker: str) -> Any:
        if name in ("eta", "expires") and self.chance.random() < 0.8:
            return self._moment()
        if name == "timelimit" and self.chance.random() < 0.7:
            return [self.chance.choice((None, *NUMBERS)), self.chance.choice((None, *NUMBERS))]
        if name == "compression":
            return self.chance.choice(COMPRESSIONS)
        value = self._value()
        if name in ("id", "task") and isinstance(value, str):
            return value[:200] + marker
        return value

    def _moment(self) -> str:
        # None that is far away: the message would wait for it, and the account with it.
        moment = datetime.now(UTC) + timedelta(seconds=self.chance.choice((-(10**9), -1, 0, 1)))
        odd = (
            "9999-12-31T23:59:59-23:00",
            "0001-01-01T00:00:00+23:00",
            "0001-01-01",
            "2024-02-30",
            "20240101",
        )
        return self.chance.choice((moment.isoformat(), moment.replace(tzinfo=None).isoformat(), *odd))

    def _signatures(self) -> Any:
        signature = {
            "task": self.note,
            "args": [],
            "kwargs": {},
            "options": {"queue": QUEUE},
            "immutable": True,
        }
        broken = {**signature, self.chance.choice(list(signature)): self._value()}
        return self.chance.choice(([signature], [broken], [broken, signature], broken, [{}], [1]))

    def _value(self, depth: int = 0) -> Any:
        sort = self.chance.randrange(8 if depth < 2 else 5)
        if sort < 2:
            return self.chance.choice(TEXTS)
        if sort < 4:
            more = ONLY_IN_JSON if self.broker == "redis" and depth == 0 else ()
            return self.chance.choice((*NUMBERS, *more))
        if sort == 4:
            return self.chance.choice((None, True, False))
        if sort < 7:
            return [self._value(depth + 1) for _ in range(self.chance.randrange(4))]
        return {
            self.chance.choice((*NAMES, *TEXTS[:6])): self._value(depth + 1) for _ in range(self.chance.randrange(4))
        }
