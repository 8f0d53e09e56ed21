"""Dead letters on RabbitMQ: the messages of a durable queue, oldest first.

AMQP hands out messages in their order and knows no other access, so to find one entry is to be handed all of
them, and 100,000 take the server seconds; they go back, each to its place, when the channel closes. Meanwhile
nobody else sees them, so the queue is consumed exclusively and a second reader is turned away. Limits are kept
in code: as arguments of the queue they could never be changed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import amqp
from kombu.exceptions import OperationalError

from celery_runtime.dead_letters.model import DeadLetter
from celery_runtime.dead_letters.rabbitmq_reading import RabbitMQReading, declare, headers_of, summary_of
from celery_runtime.dead_letters.store import Bounds, StoreError

QUEUE = "dead-letters"
SILENCE = 5.0  # seconds in which the server must have answered
# Two processes that trim at a time each remove so many of the oldest, not all that are too many.
MOST_TRIMMED = 2
LOOK_AT_AGE_EVERY = 60.0  # seconds
MOST_TOO_OLD = 100  # are removed at a time


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
            application_headers={**headers_of(entry), "keep_existing": keep_existing},
        )
        try:
            self._add(self.app.pool.acquire(block=True), message, bounds)
        except StoreError:
            # One that has idled may have been closed; and a process that a worker forks closes those of its parent.
            self._add(self.app.connection_for_write(), message, bounds)

    def _add(self, connection: Any, message: amqp.Message, bounds: Bounds) -> None:
        with self._connected(connection):
            with connection.channel() as channel:
                number = declare(channel, self.queue)
                channel.basic_publish_confirm(
                    message, exchange="", routing_key=self.queue, confirm_timeout=SILENCE
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
            # Once, on the socket: stated for each message it takes a quarter of the time.
            connection.connection.sock.settimeout(SILENCE)
            channel.tx_select()
            reading = RabbitMQReading(connection, channel, self.queue)
            try:
                yield reading
            except BaseException:
                with suppress(Exception):  # the connection may be what has failed
                    reading.close()
                raise
            reading.commit()
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
        with connection.channel() as channel:
            for trimmed in range(MOST_TOO_OLD):
                message = channel.basic_get(self.queue)
                if message is None:
                    break
                is_surplus = number > bounds.maximum and trimmed < MOST_TRIMMED
                if not is_surplus and summary_of(message).last_failure.timestamp() >= eldest:
                    channel.basic_reject(message.delivery_tag, requeue=True)
                    break
                channel.basic_ack(message.delivery_tag)
                number -= 1
