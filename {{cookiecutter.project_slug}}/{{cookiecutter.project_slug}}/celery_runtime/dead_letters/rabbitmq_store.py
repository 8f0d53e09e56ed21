"""Dead letters on RabbitMQ: the messages of a durable queue, oldest first.

AMQP hands out messages in their order and knows no other access, so to find one entry is to be handed all of
them; they go back, each to its place, when the channel closes. Meanwhile nobody else sees them, so
the queue is consumed exclusively and a second reader is turned away. Limits are kept in code: as arguments of
the queue they could never be changed.
"""

import functools
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import amqp
from amqp.spec import Basic
from kombu import Producer
from kombu.exceptions import OperationalError

from .entry import DeadLetter, Summary
from .selection import Selection
from .store import Bounds, Held, Publish, StoreBusy, StoreError

QUEUE = "dead-letters"
CONFIRM_TIMEOUT = 5.0  # seconds
SILENCE = 5.0  # seconds without a message, after which no more are expected
# Two processes that trim at a time each remove so many of the oldest, not all that are too many.
MOST_TRIMMED = 2
LOOK_AT_AGE_EVERY = 60.0  # seconds
COMMITTED_TOGETHER = 100


class RabbitMQStore:
    """Keeps dead letters on the RabbitMQ that is the broker."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.queue = f"{app.main}.{QUEUE}"
        self._looked_at_age = -LOOK_AT_AGE_EVERY

    def add(self, entry: DeadLetter, bounds: Bounds, *, keep_existing: bool = False) -> None:
        message = amqp.Message(
            entry.to_json(),
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=2,
            application_headers={**_headers(entry.summary), "keep_existing": keep_existing},
        )
        try:
            self._add(self.app.pool.acquire(block=True), message, bounds)
        except StoreError:
            # One that has idled may have been closed; and a process that a worker forks closes those of its parent.
            self._add(self.app.connection_for_write(), message, bounds)

    def _add(self, connection: Any, message: amqp.Message, bounds: Bounds) -> None:
        with self._connected(connection):
            with connection.channel() as channel:
                number = _declare(channel, self.queue)
                channel.basic_publish_confirm(
                    message, exchange="", routing_key=self.queue, confirm_timeout=CONFIRM_TIMEOUT
                )
            self._trim(connection, number + 1, bounds)

    @contextmanager
    def open(self) -> "Iterator[RabbitMQReading]":
        # A channel that confirms what is published knows no transactions.
        ours = self.app.connection_for_write()
        options = {**(ours.transport_options or {}), "confirm_publish": False}
        with (
            self._connected(ours.clone(transport_options=options)) as connection,
            connection.channel() as channel,
        ):
            channel.tx_select()
            reading = RabbitMQReading(connection, channel, self.queue)
            try:
                yield reading
            except BaseException:
                with suppress(Exception):  # the connection may be what has failed
                    reading.abandon()
                raise
            reading.close()

    @contextmanager
    def _connected(self, connection: Any) -> Iterator[Any]:
        with connection:
            try:
                connection.ensure_connection(max_retries=1, interval_start=0)
                yield connection
            except StoreError:
                raise
            except (OperationalError, OSError, amqp.AMQPError) as error:
                raise StoreError(f"the dead letters at {connection.as_uri()}: {error}") from error

    def _trim(self, connection: Any, number: int, bounds: Bounds) -> None:
        now = time.monotonic()
        if number <= bounds.maximum and now - self._looked_at_age < LOOK_AT_AGE_EVERY:
            return
        self._looked_at_age = now
        eldest = datetime.now(UTC).timestamp() - bounds.retention
        with connection.channel() as channel, suppress(amqp.AccessRefused):
            # Refused: somebody reads them, and the next failure will trim.
            for _ in range(MOST_TRIMMED):
                message = channel.basic_get(self.queue)
                if message is None:
                    break
                if number <= bounds.maximum and _summary(message).last_failure.timestamp() >= eldest:
                    channel.basic_reject(message.delivery_tag, requeue=True)
                    break
                channel.basic_ack(message.delivery_tag)
                number -= 1


class RabbitMQReading:
    """The store while it is open, to be gone through once."""

    def __init__(self, connection: Any, channel: Any, queue: str) -> None:
        self.connection = connection
        self.channel = channel
        self.queue = queue
        self._tag: str | None = None
        self._taken: set[str] = set()
        self._uncommitted = 0

    def find(self, selection: Selection) -> Iterator[Held]:
        seen: set[str] = set()
        for message in self._messages():
            summary = _summary(message)
            if summary.id in self._taken:
                self._remove(message.delivery_tag)  # an older record of the same failure was dealt with
            elif summary.id not in seen and selection.fits(summary):
                seen.add(summary.id)
                yield Held(summary, functools.partial(_entry, message), message.delivery_tag)

    def newest(self, selection: Selection, limit: int | None) -> list[DeadLetter]:
        kept: dict[str, Any] = {}
        seen: set[str] = set()
        for message in self._messages():
            summary = _summary(message)
            if not selection.fits(summary) or (message.headers["keep_existing"] and summary.id in seen):
                continue
            seen.add(summary.id)
            kept.pop(summary.id, None)
            kept[summary.id] = message
            if limit is not None and len(kept) > limit:
                del kept[next(iter(kept))]
        return [_entry(message) for message in reversed(kept.values())]

    def count(self, selection: Selection) -> "Counter[str]":
        kinds: dict[str, str] = {}
        for message in self._messages():
            summary = _summary(message)
            if selection.fits(summary) and not (message.headers["keep_existing"] and summary.id in kinds):
                kinds[summary.id] = summary.kind
        return Counter(kinds.values())

    def requeue(self, held: Held, publish: Publish) -> bool:
        publish(Producer(self.channel))
        self._taken.add(held.summary.id)
        self.channel.basic_ack(held.token)
        self.commit()
        return True

    def remove(self, held: Held) -> bool:
        self._taken.add(held.summary.id)
        self._remove(held.token)
        return True

    def abandon(self) -> None:
        """Take back what was not committed, and be handed no more."""
        self.channel.tx_rollback()
        if self._tag is not None:
            self.channel.basic_cancel(self._tag)

    def close(self) -> None:
        """Give back what was not taken: when this returns, the next reader finds it in its place."""
        self.commit()
        if self._tag is not None:
            self.channel.basic_cancel(self._tag)
            self.channel.basic_recover(requeue=True)
            self.channel.wait(Basic.RecoverOk)

    def commit(self) -> None:
        self.channel.tx_commit()
        self._uncommitted = 0

    def _remove(self, delivery_tag: int) -> None:
        self.channel.basic_ack(delivery_tag)
        self._uncommitted += 1
        if self._uncommitted == COMMITTED_TOGETHER:
            self.commit()

    def _messages(self) -> Iterator[Any]:
        arrived: deque[Any] = deque()
        number = _declare(self.channel, self.queue)
        try:
            self._tag = self.channel.basic_consume(self.queue, exclusive=True, callback=arrived.append)
        except amqp.AccessRefused as error:
            raise StoreBusy("the dead letters are being read by another: try again") from error
        with suppress(TimeoutError):
            for _ in range(number):
                while not arrived:
                    self.connection.drain_events(timeout=SILENCE)
                yield arrived.popleft()


def _declare(channel: Any, queue: str) -> int:
    """Make sure that there is the queue; return how many messages wait in it."""
    declared = channel.queue_declare(queue, durable=True, auto_delete=False)
    return int(declared.message_count)


def _headers(one: Summary) -> dict[str, Any]:
    return {"id": one.id, "kind": one.kind, "task": one.task, "last_failure": one.last_failure.isoformat()}


def _summary(message: Any) -> Summary:
    headers = message.headers
    moment = datetime.fromisoformat(headers["last_failure"])
    return Summary(headers["id"], headers["kind"], headers["task"], moment)


def _entry(message: Any) -> DeadLetter:
    return DeadLetter.from_json(message.body)
