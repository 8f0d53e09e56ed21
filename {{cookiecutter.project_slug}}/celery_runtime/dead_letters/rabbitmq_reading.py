"""Goes through the dead letters on RabbitMQ, once, from the oldest on."""

import functools
from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import amqp
from amqp import spec
from kombu import Producer

from celery_runtime.dead_letters.filter import Selection
from celery_runtime.dead_letters.model import DeadLetter, Summary
from celery_runtime.dead_letters.store import Held, Publish, StoreBusy

COMMITTED_TOGETHER = 100


class RabbitMQReading:
    """The store while it is open, to be gone through once."""

    def __init__(self, connection: Any, channel: Any, queue: str) -> None:
        self.connection = connection
        self.channel = channel
        self.queue = queue
        self._taken: set[tuple[str, int]] = set()
        self._uncommitted = 0

    def find(self, selection: Selection) -> Iterator[Held]:
        seen: set[str] = set()
        for message in self._messages():
            summary = summary_of(message)
            if _failure_of(message) in self._taken:
                self._remove(message.delivery_tag)  # an older record of the same failure was dealt with
            elif summary.id not in seen and selection.fits(summary):
                seen.add(summary.id)
                yield Held(summary, functools.partial(_entry_of, message), message)

    def newest(self, selection: Selection, limit: int | None) -> list[DeadLetter]:
        kept: dict[str, Any] = {}
        seen: set[str] = set()
        for message in self._messages():
            summary = summary_of(message)
            if not selection.fits(summary) or (message.headers["keep_existing"] and summary.id in seen):
                continue
            seen.add(summary.id)
            kept.pop(summary.id, None)
            kept[summary.id] = message
            if limit is not None and len(kept) > limit:
                del kept[next(iter(kept))]
        return [_entry_of(message) for message in reversed(kept.values())]

    def count(self, selection: Selection) -> "Counter[str]":
        kinds: dict[str, str] = {}
        for message in self._messages():
            summary = summary_of(message)
            if selection.fits(summary) and not (message.headers["keep_existing"] and summary.id in kinds):
                kinds[summary.id] = summary.kind
        return Counter(kinds.values())

    def requeue(self, held: Held, publish: Publish) -> bool:
        publish(Producer(self.channel))
        self._taken.add(_failure_of(held.token))
        self.channel.basic_ack(held.token.delivery_tag)
        self.commit()
        return True

    def remove(self, held: Held) -> bool:
        self._taken.add(_failure_of(held.token))
        self._remove(held.token.delivery_tag)
        return True

    def close(self) -> None:
        """Give back what was not removed: when this returns, the next reader finds it in its place.

        What was not committed is undone.
        """
        # For the queue this is one step. After a cancel, another reader could come before all is given back; and
        # the library's own close() logs a warning for each message that is still on its way.
        self.channel.send_method(spec.Channel.Close, "BsBB", (0, "", 0, 0), wait=spec.Channel.CloseOk)

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
        number = self._consume(arrived)
        for _ in range(number):
            while not arrived:
                try:
                    self.connection.drain_events()
                except TimeoutError:
                    # Its answer comes after all messages; a server that hangs gives none.
                    declare(self.channel, self.queue)
                    if not arrived:
                        return  # one that was counted has been trimmed
            yield arrived.popleft()

    def _consume(self, arrived: deque[Any]) -> int:
        """Have all messages arrive; return how many there are."""
        try:
            number = self._count()
            self.channel.basic_consume(self.queue, exclusive=True, callback=arrived.append)
        except amqp.AccessRefused as error:
            raise StoreBusy("the dead letters are being read by another: try again") from error
        return number

    def _count(self) -> int:
        """Count while nobody else reads, and one message at most is handed out.

        What another reader holds is not counted, and what is on its way cannot be. Closing the channel gives the one
        back in the same step in which the queue is free again: nobody is to find it without.
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
    declared = channel.queue_declare(queue, durable=True, auto_delete=False)
    return int(declared.message_count)


def headers_of(entry: DeadLetter) -> dict[str, Any]:
    """Return what is told of an entry beside its body, which need not be read for it."""
    summary = entry.summary
    return {
        "id": summary.id,
        "kind": summary.kind,
        "task": summary.task,
        "last_failure": summary.last_failure.isoformat(),
        "requeues": entry.requeues,
    }


def summary_of(message: Any) -> Summary:
    headers = message.headers
    moment = datetime.fromisoformat(headers["last_failure"])
    return Summary(headers["id"], headers["kind"], headers["task"], moment)


def _failure_of(message: Any) -> tuple[str, int]:
    """Return what tells a failure: a task that has failed again since it was requeued is another one."""
    return message.headers["id"], message.headers["requeues"]


def _entry_of(message: Any) -> DeadLetter:
    return DeadLetter.from_json(message.body)
