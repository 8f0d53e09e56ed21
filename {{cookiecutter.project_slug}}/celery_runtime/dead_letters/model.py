"""What is kept of a final failure."""

import base64
import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from kombu.utils.json import JSONEncoder, dumps, loads


@dataclass(frozen=True)
class DeadLetter:
    """One final failure, kept under the id of its task.

    Attributes:
        id: that of the task; a fresh uuid where the message had none.
        task: the name of the task, None where the message had none.
        kind: as in error_policy.py, or one of `record.KINDS` for what no task raised.
        code: what the other side called it, such as "503".
        origin: the class of the exception that decided.
        message: of the exception, cut to 2,000 characters.
        traceback: cut in its middle to 10,000 characters.
        attempts: runs since the task was published, or requeued.
        attempts_by_kind: those that ended with an error, by its kind; Celery's own retries are not told apart.
        first_failure: the moment of the first of them, in UTC, as ISO 8601.
        last_failure: the moment of the last.
        worker: the node name of the worker.
        queue: where the message came from.
        priority: 0 to 9.
        requeues: how often the task has come back from here.
        parameters: the names of the positional arguments, as far as they are known.
        signature: `task`, `args`, `kwargs` and `options`, the latter with chain, links, headers and all
            else that its message stated; None where the message was no task that could be read.
        raw: that message as it came: `body`, whether it is in `base64`, `headers`, `content_type`,
            `content_encoding`. None where there is a signature.
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
        return Summary(self.id, self.kind, task, datetime.fromisoformat(self.last_failure))

    def as_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def to_json(self) -> str:
        """Return the entry as text. Arguments that JSON cannot hold are kept by their repr, in `raw`."""
        try:
            return str(dumps(self.as_dict()))
        except (TypeError, ValueError, RecursionError):
            told = {"args": [], "kwargs": {}, **(self.signature or {}), **(self.raw or {})}
            raw = {name: repr(value) for name, value in told.items()}
            entry = dataclasses.replace(self, signature=None, raw={**raw, "not_json": True})
            return str(dumps(entry.as_dict(), cls=_AnythingEncoder, skipkeys=True))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the entry. What a later version of this project has added is passed over."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in loads(text).items() if name in known})


class Summary(NamedTuple):
    """What a store can tell of an entry without reading it. `task` is empty where there is none."""

    id: str
    kind: str
    task: str
    last_failure: datetime


class _AnythingEncoder(JSONEncoder):
    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except (TypeError, ValueError):
            return repr(o)


def moment(seconds: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def body_as_text(body: bytes | str | None) -> dict[str, Any]:
    """Return a body for `raw`: as it is where it is text, else in base64."""
    if isinstance(body, bytes):
        try:
            return {"body": body.decode(), "base64": False}
        except UnicodeDecodeError:
            return {"body": base64.b64encode(body).decode(), "base64": True}
    return {"body": body or "", "base64": False}


def body_of(raw: dict[str, Any]) -> bytes:
    """Return the body that `body_as_text` has kept."""
    body: str = raw["body"]
    return base64.b64decode(body) if raw["base64"] else body.encode()
