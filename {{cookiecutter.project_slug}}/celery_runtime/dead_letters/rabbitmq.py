"""Store dead letters on RabbitMQ: the messages of a durable queue, oldest first.

AMQP delivers messages in their order and has no other access: to find one entry, a reader receives all of
them, and 100,000 take seconds; they return, each to its place, when the channel closes. Meanwhile nobody else
sees them, so a reader consumes exclusively, and a second one is refused. The limits are kept in code, because
the arguments of a queue never change.
"""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import datetime
from typing import Any

import amqp
from amqp import spec
from kombu import Producer

from celery_runtime.brokers import DEAD_LETTERS
from celery_runtime.brokers.connection import by_connection, connected
from celery_runtime.brokers.rabbitmq import SILENCE
from celery_runtime.dead_letters import model
from celery_runtime.dead_letters.model import DeadLetter, DeadLetterFilter, StoredEntry, StoreError, Summary

# Two processes that trim at a time each remove so many of the oldest, not all that are too many.
MOST_TRIMMED = 2
LOOK_AT_AGE_EVERY = 60.0  # seconds
MOST_TOO_OLD = 100  # are removed at a time
COMMITTED_TOGETHER = 100
# Seconds. RabbitMQ closes a channel that holds messages for 30 minutes, and a connection that reads nothing
# for half a minute, as one that keeps to a rate may.
LONGEST_OPEN = 10 * 60.0
LONGEST_OPEN_WITH_PAUSES = 10.0


class RabbitMQStore:
    """Store dead letters on the RabbitMQ that is the broker."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.queue = DEAD_LETTERS
        self._looked_at_age = -LOOK_AT_AGE_EVERY

    def add(self, entry: DeadLetter, *, keep_existing: bool = False) -> None:
        message = message_of(entry, keep_existing)
        by_connection(self.app, lambda connection: self._add(connection, message), StoreError.at)

    @contextmanager
    def open(self) -> "Iterator[OpenRabbitMQStore]":
        with ExitStack() as stack:
            yield OpenRabbitMQStore(self.app, self.queue, stack)

    def _add(self, connection: Any, message: amqp.Message) -> None:
        with connection.channel() as channel:
            number = declare(channel, self.queue) + 1
            channel.basic_publish_confirm(message, "", self.queue, confirm_timeout=SILENCE)
            now = time.monotonic()
            if number > self.app.conf.dead_letter_maximum or now - self._looked_at_age >= LOOK_AT_AGE_EVERY:
                self._looked_at_age = now
                self._trim(channel, number)

    def _trim(self, channel: Any, number: int) -> None:
        eldest = time.time() - self.app.conf.dead_letter_retention
        for trimmed in range(MOST_TOO_OLD):
            message = channel.basic_get(self.queue)
            if message is None:
                break
            is_surplus = number - trimmed > self.app.conf.dead_letter_maximum and trimmed < MOST_TRIMMED
            if not is_surplus and summary_of(message).last_failure >= eldest:
                channel.basic_reject(message.delivery_tag, requeue=True)
                break
            channel.basic_ack(message.delivery_tag)


class OpenRabbitMQStore:
    """Implement `OpenStore` on RabbitMQ. Each of `find`, `newest` and `count` can be called once."""

    def __init__(self, app: Any, queue: str, stack: ExitStack) -> None:
        self.app = app
        self.queue = queue
        self._stack = stack
        self._taken: set[tuple[str, int]] = set()
        self._open()

    def _open(self) -> None:
        """Begin a transaction. When the stack closes it is committed, or undone by an error."""
        connection = self.app.connection_for_write()
        # A channel that confirms messages knows no transactions.
        options = {**connection.transport_options, "confirm_publish": False}
        self.connection = self._stack.enter_context(connection.clone(transport_options=options))
        self._stack.enter_context(connected(self.connection, StoreError.at))
        self.channel = self._stack.enter_context(self.connection.channel())
        self._stack.push(self._end)
        # Once, on the socket: stated for each message it takes a quarter of the time.
        self.connection.connection.sock.settimeout(SILENCE)
        self.channel.tx_select()
        self._opened = time.monotonic()
        self._is_open = True
        self._uncommitted = 0

    def _end(self, error: type[BaseException] | None, *_: object) -> None:
        """Close the channel: the server undoes what was not committed, and requeues every message in its place.

        For the queue this is one step. After a cancel, another reader could come before all are requeued; and
        `close()` of the library logs a warning for each message that is still on its way.
        """
        if error is None:
            self.commit()
        with suppress(Exception) if error else nullcontext():  # the connection may have caused the error
            self.channel.send_method(spec.Channel.Close, "BsBB", (0, "", 0, 0), wait=spec.Channel.CloseOk)

    def rest(self, seconds: float) -> None:
        longest = LONGEST_OPEN_WITH_PAUSES if seconds else LONGEST_OPEN
        if time.monotonic() - self._opened + seconds > longest:
            self._is_open = False
            self._stack.close()
        time.sleep(seconds)

    def find(self, chosen: DeadLetterFilter) -> Iterator[StoredEntry]:
        started, latest = time.time(), math.inf
        seen: set[str] = set()
        messages = self._messages()
        while (message := next(messages, None)) is not None:
            summary = summary_of(message)
            if _failure_of(message) in self._taken:
                self._remove(message)  # an older entry of the same failure
            elif summary.id not in seen and chosen.fits(summary):
                seen.add(summary.id)
                if summary.last_failure > latest:
                    continue  # it has failed since this began
                yield StoredEntry(summary, message.body, message)
                if not self._is_open:
                    self._open()
                    messages, latest = self._messages(), started

    def newest(self, chosen: DeadLetterFilter, limit: int | None) -> list[DeadLetter]:
        bodies = self._latest(chosen, lambda message: message.body, limit)
        return [DeadLetter.from_json(body) for body in reversed(bodies.values())]

    def count(self, chosen: DeadLetterFilter) -> "Counter[str]":
        return Counter(self._latest(chosen, lambda message: message.headers["kind"]).values())

    def take(self, stored: StoredEntry, publish: Callable[[Producer], None] | None = None) -> bool:
        if publish:
            publish(Producer(self.channel))
        self._taken.add(_failure_of(stored.handle))
        self._remove(stored.handle)
        if publish:
            self.commit()
        return True

    def commit(self) -> None:
        self.channel.tx_commit()
        self._uncommitted = 0

    def _remove(self, message: Any) -> None:
        self.channel.basic_ack(message.delivery_tag)
        self._uncommitted += 1
        if self._uncommitted == COMMITTED_TOGETHER:
            self.commit()

    def _latest(self, chosen: DeadLetterFilter, part: Callable[[Any], Any], limit: int | None = None) -> dict[str, Any]:
        """Return a part of each of the newest messages that fit, by id; a later one of an id replaces those before."""
        latest: dict[str, Any] = {}
        seen: set[str] = set()
        for message in self._messages():
            summary = summary_of(message)
            if chosen.fits(summary) and not (message.headers["keep_existing"] and summary.id in seen):
                seen.add(summary.id)
                latest.pop(summary.id, None)
                latest[summary.id] = part(message)
                if limit is not None and len(latest) > limit:
                    del latest[next(iter(latest))]
        return latest

    def _messages(self) -> Iterator[Any]:
        arrived: deque[Any] = deque()
        try:
            number = self._count()
            self.channel.basic_consume(self.queue, exclusive=True, callback=arrived.append)
        except amqp.AccessRefused as error:
            if "exclusive" not in error.reply_text:
                raise  # it is a right that is missing
            raise model.StoreBusy("the dead letters are being read by another: try again") from error
        for _ in range(number):
            while not arrived:
                try:
                    self.connection.drain_events()
                except TimeoutError:
                    # Its answer comes after all messages; a server that hangs gives none.
                    declare(self.channel, self.queue)
                    if not arrived:
                        return  # a message that was counted has been trimmed
            yield arrived.popleft()

    def _count(self) -> int:
        """Count the messages while nobody else reads: those that another reader holds are not counted.

        The server delivers one message for it. To close the channel requeues that and frees the queue in one
        step, so that no reader finds the queue without it.
        """
        held: list[Any] = []
        with self.connection.channel() as channel:
            declare(channel, self.queue)
            channel.basic_qos(0, 1, False)
            channel.basic_consume(self.queue, exclusive=True, callback=held.append)
            number = declare(channel, self.queue)
            declare(channel, self.queue)  # when it is answered, the one has arrived
            return number + len(held)


def declare(channel: Any, queue: str) -> int:
    """Make sure that there is the queue; return how many messages wait in it."""
    arguments = {"x-queue-type": "classic"}  # the one type that knows transactions
    return int(channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments).message_count)


def message_of(entry: DeadLetter, keep_existing: bool = False) -> amqp.Message:
    """Return the message of an entry. The summary is in its headers, so that the body need not be read."""
    stated = {"last_failure": entry.last_failure, "requeues": entry.requeues, "keep_existing": keep_existing}
    headers = {**entry.summary._asdict(), **stated}
    kind_of_text = {"content_type": "application/json", "content_encoding": "utf-8"}
    return amqp.Message(entry.to_json(), delivery_mode=2, application_headers=headers, **kind_of_text)


def summary_of(message: Any) -> Summary:
    headers = message.headers
    moment = datetime.fromisoformat(headers["last_failure"]).timestamp()
    return Summary(headers["id"], headers["kind"], headers["task"], moment)


def _failure_of(message: Any) -> tuple[str, int]:
    """Return the key of a failure: a task that has failed again since it was requeued is another one."""
    return message.headers["id"], message.headers["requeues"]
