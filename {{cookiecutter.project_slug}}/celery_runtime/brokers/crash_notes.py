"""How often a worker was lost while it ran a task: kept on the broker, because the worker is gone.

That a message was delivered before does not tell it: messages also come back from deploys, from restarts of the
broker, and from workers that never began them. So a worker notes that it begins a task which may have been begun before, and
takes the note back however that run ends. The notes that stay are of runs that took their worker with them.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import amqp
from kombu.exceptions import OperationalError

from celery_runtime.brokers import urls
from celery_runtime.brokers.redis import channel_of, client_of

Answer = TypeVar("Answer")

KEPT = 7 * 24 * 60 * 60  # seconds after the last run
SILENCE = 5.0  # seconds in which the server must have answered
NAME = "lost-runs"


class LostRunsError(ConnectionError):
    """The broker cannot be asked."""


class LostRuns(Protocol):
    """Notes by the id of the task. Every method may raise `LostRunsError`."""

    def count(self, task_id: str) -> int:
        """Return how many runs were begun of which no end is known."""

    def begin(self, task_id: str) -> None:
        """Note that a run begins of a task whose runs were counted just before."""

    def forget(self, task_id: str) -> None:
        """Take back all notes: the task has ended, or runs again as another message."""


def lost_runs_of(app: Any) -> LostRuns:
    """Return the notes on the broker of the app."""
    url = app.conf.broker_write_url or app.conf.broker_url
    return _OnRabbitMQ(app) if urls.is_rabbitmq(url) else _OnRedis(app)


class _OnRedis:
    """A number for each task."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.prefix = f"{app.conf.broker_transport_options.get('global_keyprefix', '')}{NAME}:"

    def count(self, task_id: str) -> int:
        with self._client() as client:
            return int(client.get(self.prefix + task_id) or 0)

    def begin(self, task_id: str) -> None:
        key = self.prefix + task_id
        with self._client() as client, client.pipeline() as pipe:
            pipe.incr(key).expire(key, KEPT).execute()

    def forget(self, task_id: str) -> None:
        with self._client() as client:
            client.delete(self.prefix + task_id)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        with channel_of(self.app, LostRunsError) as channel:
            yield client_of(channel)


class _OnRabbitMQ:
    """A queue for each task, with a message for each run; RabbitMQ removes it when it has not been used for long."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._connection: Any = None
        self._lock = threading.Lock()  # a pool of threads ends its tasks in them

    def count(self, task_id: str) -> int:
        return self._call(lambda channel: self._declare(channel, task_id))

    def begin(self, task_id: str) -> None:
        # Without a confirm: the server reads what was sent even where the sender dies at once.
        message = amqp.Message(b"", delivery_mode=2)
        self._call(lambda channel: channel.basic_publish(message, routing_key=self._queue(task_id)))

    def forget(self, task_id: str) -> None:
        self._call(lambda channel: channel.queue_delete(self._queue(task_id)))

    def _declare(self, channel: Any, task_id: str) -> int:
        found = channel.queue_declare(
            self._queue(task_id), durable=True, auto_delete=False, arguments={"x-expires": KEPT * 1000}
        )
        return int(found.message_count)

    def _queue(self, task_id: str) -> str:
        return f"{self.app.main}.{NAME}.{hashlib.sha256(task_id.encode()).hexdigest()[:32]}"

    def _call(self, ask: Callable[[Any], Answer]) -> Answer:
        with self._lock:
            return self._call_locked(ask)

    def _call_locked(self, ask: Callable[[Any], Answer]) -> Answer:
        try:
            if self._connection is not None:
                return ask(self._connection.default_channel)
        except (OperationalError, OSError, amqp.AMQPError):
            pass  # it has idled, and was closed: a new one is asked
        try:
            self._connection = self._connected()
            return ask(self._connection.default_channel)
        except (OperationalError, OSError, amqp.AMQPError) as error:
            self._connection = None
            raise LostRunsError(str(error)) from error

    def _connected(self) -> Any:
        if self._connection is not None:
            self._connection.collect(socket_timeout=SILENCE)
        ours = self.app.connection_for_write()
        options = {**(ours.transport_options or {}), "confirm_publish": False}
        connection = ours.clone(transport_options=options, heartbeat=0)
        connection.ensure_connection(max_retries=1, interval_start=0)
        connection.connection.sock.settimeout(SILENCE)
        return connection
