"""Define a dead letter, the filter that chooses some, and the interface of their store."""

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Protocol, Self

from kombu import Producer
from kombu.utils.json import dumps, loads

from celery_runtime.brokers import BrokerError
from celery_runtime.kinds import is_kind_of


@dataclass(frozen=True)
class DeadLetter:
    """Describe one final failure, stored under the id of its task.

    Attributes:
        id: that of the task; a fresh uuid where the message had none.
        task: its name; None where the message had none.
        kind: as in kinds.py.
        code: the error code of the other side, such as "503".
        origin: the class of the exception that decided.
        message: of the exception, cut to 2,000 characters.
        traceback: cut in its middle to 10,000 characters.
        attempts: runs since the task was published, or requeued.
        attempts_by_kind: those that ended with an error, by its kind; without Celery's own retries.
        first_failure, last_failure: the moments of the first and the last of them, in UTC, as ISO 8601.
        worker: its node name.
        queue, priority: those of the message; the latter is 0 to 9.
        requeues: how often the task was requeued from the store.
        parameters: the names of the positional arguments, as far as they are known.
        signature: `task`, `args`, `kwargs` and `options`, which are all else that its message stated, such as chain,
            links and headers; None where the message was not a task that could be read.
        raw: such a message: `body`, whether in `base64`, `headers`, `content_type`, `content_encoding`; else None.
    """

    id: str
    task: str | None
    kind: str
    message: str
    attempts: int
    first_failure: str
    last_failure: str
    code: str | None = None
    origin: str = ""
    traceback: str | None = None
    attempts_by_kind: dict[str, int] = dataclasses.field(default_factory=dict)
    worker: str | None = None
    queue: str | None = None
    priority: int | None = None
    requeues: int = 0
    parameters: list[str] = dataclasses.field(default_factory=list)
    signature: dict[str, Any] | None = None
    raw: dict[str, Any] | None = None

    @property
    def summary(self) -> "Summary":
        task = " ".join((self.task or "").split())  # a tab would end it in the store
        return Summary(self.id, self.kind, task, datetime.fromisoformat(self.last_failure).timestamp())

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def to_json(self) -> str:
        """Return the entry as text. Arguments that JSON cannot hold are stored by their repr, in `raw`."""
        try:
            return str(dumps(self.as_dict()))
        except (TypeError, ValueError, RecursionError):
            stated = {"args": [], "kwargs": {}, **(self.signature or {}), **(self.raw or {})}
            raw = {name: repr(value) for name, value in stated.items()}
            entry = dataclasses.replace(self, signature=None, raw={**raw, "not_json": True})
            return json.dumps(entry.as_dict(), default=repr, skipkeys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the entry, without the attributes that only a later version of this library knows."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in loads(text).items() if name in known})


class Summary(NamedTuple):
    """Hold what a store knows of an entry without reading it. `task` is empty where there is none."""

    id: str
    kind: str
    task: str
    last_failure: float  # seconds since the epoch


@dataclass(frozen=True)
class DeadLetterFilter:
    """Choose the dead letters that fit all that is stated; with nothing stated, every one.

    Args:
        ids: of tasks.
        kind: it and those below it: "network" fits "network.dns".
        task: its full name or the last words of it, with `*` for any text: "ex1_*.charge".
        older_than: seconds since the last failure.
    """

    ids: tuple[str, ...] = ()
    kind: str | None = None
    task: str | None = None
    older_than: float | None = None

    def fits(self, one: Summary) -> bool:
        return (
            (not self.ids or one.id in self.ids)
            and (self.kind is None or is_kind_of(one.kind, self.kind))
            and (self.task is None or any(fnmatchcase(one.task, name) for name in (self.task, f"*.{self.task}")))
            and (self.older_than is None or one.last_failure <= time.time() - self.older_than)
        )


class StoreError(BrokerError):
    """The store cannot be reached, or refuses the request."""

    done = 0  # entries that were requeued or removed before

    @classmethod
    def at(cls, problem: str) -> Self:
        return cls(f"the dead letters at {problem}")


class StoreBusy(StoreError):
    """Another reader has the store open; RabbitMQ allows one at a time."""


class StoredEntry(NamedTuple):
    """Point to an entry of an open store. Only the store understands `handle`."""

    summary: Summary
    text: str | bytes  # the entry as JSON
    handle: Any

    def load(self) -> DeadLetter:
        return DeadLetter.from_json(self.text)


class OpenStore(Protocol):
    """Read and change a store. Entries that are added meanwhile may be seen or not."""

    def find(self, chosen: DeadLetterFilter) -> Iterator[StoredEntry]:
        """Yield the entries that fit, oldest first, each id once."""

    def newest(self, chosen: DeadLetterFilter, limit: int | None) -> list[DeadLetter]:
        """Return the entries that fit, newest first."""

    def count(self, chosen: DeadLetterFilter) -> "Counter[str]":
        """Return how many entries fit, by kind."""

    def take(self, stored: StoredEntry, publish: Callable[[Producer], None] | None = None) -> bool:
        """Remove the entry, and publish its task in the same step. Return False where it was gone or changed."""

    def rest(self, seconds: float) -> None:
        """Sleep between two entries of `find`. A store that must not stay open for long closes meanwhile."""


class Store(Protocol):
    """Store dead letters on a broker. Every method raises `StoreError` where the server fails."""

    def add(self, entry: DeadLetter, *, keep_existing: bool = False) -> None:
        """Store an entry, and trim those beyond the settings. It replaces an older one of its id, or lets it stay."""

    def open(self) -> AbstractContextManager[OpenStore]:
        """Open the store; where another reader has it open, raise `StoreBusy`."""
