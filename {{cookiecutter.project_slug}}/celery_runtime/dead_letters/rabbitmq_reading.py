"""Read the dead letters on RabbitMQ, once, from the oldest on, and requeue or remove some."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any

import amqp
from kombu import Producer

from celery_runtime.dead_letters.model import (
    DeadLetter,
    DeadLetterFilter,
    Publish,
    StoreBusy,
    StoredEntry,
    Summary,
)

COMMITTED_TOGETHER = 100
# Seconds. RabbitMQ closes a channel that holds messages for 30 minutes, and a connection that reads nothing
# for half a minute, as one that keeps to a rate may.
LONGEST_OPEN = 10 * 60.0
LONGEST_OPEN_WITH_PAUSES = 10.0

# Lends a connection and its channel.
Transaction = Callable[[], AbstractContextManager[tuple[Any, Any]]]


class OpenRabbitMQStore:
    """Implement `OpenStore` on RabbitMQ. Each of `find`, `newest` and `count` can be called once."""

    def __init__(self, queue: str, transaction: Transaction, stack: ExitStack) -> None:
        self.queue = queue
        self._transaction = transaction
        self._stack = stack
        self._taken: set[tuple[str, int]] = set()
        self._open()

    def _open(self) -> None:
        self.connection, self.channel = self._stack.enter_context(self._transaction())
        self._opened = time.monotonic()
        self._is_open = True
        self._uncommitted = 0

    def rest(self, seconds: float) -> None:
        longest = LONGEST_OPEN_WITH_PAUSES if seconds else LONGEST_OPEN
        if time.monotonic() - self._opened + seconds > longest:
            self._is_open = False
            self._stack.close()
        time.sleep(seconds)

    def find(self, chosen: DeadLetterFilter) -> Iterator[StoredEntry]:
        started, latest = datetime.now(UTC), None
        seen: set[str] = set()
        messages = self._messages()
        while (message := next(messages, None)) is not None:
            summary = summary_of(message)
            if _failure_of(message) in self._taken:
                self._remove(message)  # an older entry of the same failure
            elif summary.id not in seen and chosen.fits(summary):
                seen.add(summary.id)
                if latest is not None and summary.last_failure > latest:
                    continue  # it has failed since this began
                yield StoredEntry(summary, partial(DeadLetter.from_json, message.body), message)
                if not self._is_open:
                    self._open()
                    messages, latest = self._messages(), started

    def newest(self, chosen: DeadLetterFilter, limit: int | None) -> list[DeadLetter]:
        newest: dict[str, Any] = {}
        for summary, message in self._fitting(chosen):
            newest.pop(summary.id, None)
            newest[summary.id] = message
            if limit is not None and len(newest) > limit:
                del newest[next(iter(newest))]
        return [DeadLetter.from_json(message.body) for message in reversed(newest.values())]

    def count(self, chosen: DeadLetterFilter) -> "Counter[str]":
        return Counter({summary.id: summary.kind for summary, _ in self._fitting(chosen)}.values())

    def requeue(self, stored: StoredEntry, publish: Publish) -> bool:
        publish(Producer(self.channel))
        self.remove(stored)
        self.commit()
        return True

    def remove(self, stored: StoredEntry) -> bool:
        self._taken.add(_failure_of(stored.handle))
        self._remove(stored.handle)
        return True

    def commit(self) -> None:
        self.channel.tx_commit()
        self._uncommitted = 0

    def _remove(self, message: Any) -> None:
        self.channel.basic_ack(message.delivery_tag)
        self._uncommitted += 1
        if self._uncommitted == COMMITTED_TOGETHER:
            self.commit()

    def _fitting(self, chosen: DeadLetterFilter) -> Iterator[tuple[Summary, Any]]:
        """Yield the entries that fit, oldest first; a later one of an id replaces those before."""
        seen: set[str] = set()
        for message in self._messages():
            summary = summary_of(message)
            if chosen.fits(summary) and not (message.headers["keep_existing"] and summary.id in seen):
                seen.add(summary.id)
                yield summary, message

    def _messages(self) -> Iterator[Any]:
        arrived: deque[Any] = deque()
        try:
            number = self._count()
            self.channel.basic_consume(self.queue, exclusive=True, callback=arrived.append)
        except amqp.AccessRefused as error:
            raise StoreBusy("the dead letters are being read by another: try again") from error
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
    return int(channel.queue_declare(queue, durable=True, auto_delete=False).message_count)


def headers_of(entry: DeadLetter) -> dict[str, Any]:
    """Return the summary of an entry for the headers of its message, so that the body need not be read."""
    summary = entry.summary._asdict()
    return {**summary, "last_failure": summary["last_failure"].isoformat(), "requeues": entry.requeues}


def summary_of(message: Any) -> Summary:
    headers = message.headers
    moment = datetime.fromisoformat(headers["last_failure"])
    return Summary(headers["id"], headers["kind"], headers["task"], moment)


def _failure_of(message: Any) -> tuple[str, int]:
    """Return the key of a failure: a task that has failed again since it was requeued is another one."""
    return message.headers["id"], message.headers["requeues"]
