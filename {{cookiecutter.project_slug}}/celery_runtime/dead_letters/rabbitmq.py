"""Store dead letters on RabbitMQ: the messages of a durable queue, oldest first.

AMQP delivers messages in their order and has no other access: to find one entry, a reader receives all of
them, and 100,000 take seconds; they return, each to its place, when the channel closes. Meanwhile nobody else
sees them, so a reader consumes exclusively, and a second one is refused. The limits are kept in code, because
the arguments of a queue never change.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import amqp
from amqp import spec

from celery_runtime.brokers import keys
from celery_runtime.brokers.connection import by_connection, connected
from celery_runtime.brokers.rabbitmq import SILENCE
from celery_runtime.dead_letters.model import DeadLetter, Retention, StoreError
from celery_runtime.dead_letters.rabbitmq_reading import OpenRabbitMQStore, declare, headers_of, summary_of

# Two processes that trim at a time each remove so many of the oldest, not all that are too many.
MOST_TRIMMED = 2
LOOK_AT_AGE_EVERY = 60.0  # seconds
MOST_TOO_OLD = 100  # are removed at a time


class RabbitMQStore:
    """Store dead letters on the RabbitMQ that is the broker."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.queue = f"{app.main}.{keys.DEAD_LETTERS}"
        self._looked_at_age = -LOOK_AT_AGE_EVERY

    def add(self, entry: DeadLetter, retention: Retention, *, keep_existing: bool = False) -> None:
        headers = {**headers_of(entry), "keep_existing": keep_existing}
        kind_of_text = {"content_type": "application/json", "content_encoding": "utf-8"}
        message = amqp.Message(entry.to_json(), delivery_mode=2, application_headers=headers, **kind_of_text)
        by_connection(self.app, lambda connection: self._add(connection, message, retention), _failure)

    def _add(self, connection: Any, message: amqp.Message, retention: Retention) -> None:
        with connection.channel() as channel:
            number = declare(channel, self.queue)
            channel.basic_publish_confirm(message, "", self.queue, confirm_timeout=SILENCE)
        self._trim(connection, number + 1, retention)

    @contextmanager
    def open(self) -> Iterator[OpenRabbitMQStore]:
        with ExitStack() as stack:
            yield OpenRabbitMQStore(self.queue, self._transaction, stack)

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Any, Any]]:
        """Lend a connection and its channel, whose transaction ends with a commit, or is undone by errors."""
        # A channel that confirms messages knows no transactions.
        connection = self.app.connection_for_write()
        options = {**(connection.transport_options or {}), "confirm_publish": False}
        connection = connection.clone(transport_options=options)
        with connection, connected(connection, _failure), connection.channel() as channel:
            # Once, on the socket: stated for each message it takes a quarter of the time.
            connection.connection.sock.settimeout(SILENCE)
            channel.tx_select()
            try:
                yield connection, channel
            except BaseException:
                with suppress(Exception):  # the connection may have caused the failure
                    _close(channel)
                raise
            channel.tx_commit()
            _close(channel)

    def _trim(self, connection: Any, number: int, retention: Retention) -> None:
        now = time.monotonic()
        if number <= retention.maximum and now - self._looked_at_age < LOOK_AT_AGE_EVERY:
            return
        self._looked_at_age = now
        eldest = datetime.now(UTC).timestamp() - retention.seconds
        with connection.channel() as channel:
            for trimmed in range(MOST_TOO_OLD):
                message = channel.basic_get(self.queue)
                if message is None:
                    break
                is_surplus = number > retention.maximum and trimmed < MOST_TRIMMED
                if not is_surplus and summary_of(message).last_failure.timestamp() >= eldest:
                    channel.basic_reject(message.delivery_tag, requeue=True)
                    break
                channel.basic_ack(message.delivery_tag)
                number -= 1


def _failure(problem: str) -> StoreError:
    return StoreError(f"the dead letters at {problem}")


def _close(channel: Any) -> None:
    """Close a channel: the server undoes what was not committed, and requeues every message in its place.

    For the queue this is one step. After a cancel, another reader could come before all are requeued; and
    `close()` of the library logs a warning for each message that is still on its way.
    """
    channel.send_method(spec.Channel.Close, "BsBB", (0, "", 0, 0), wait=spec.Channel.CloseOk)
