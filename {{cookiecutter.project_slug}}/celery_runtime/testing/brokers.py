"""Lend brokers to tests: an empty one that is emptied again, and a Redis server that can be killed.

Runs in: the tests.
"""

import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
import redis
from kombu import Connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_runtime.brokers import DEAD_LETTERS, DELAYED, embedded, rabbitmq_delays, rabbitmq_names

HOST = "127.0.0.1"
START_TIMEOUT = 10.0  # seconds
# What a server answers while it loads its data, or to who has no password.
ANSWERS = (redis.ResponseError, redis.AuthenticationError, redis.BusyLoadingError)


class RedisServer:
    """Run a Redis on a Unix socket, or a port, of its own; its messages stay on disk when it stops.

    Args:
        folder: where its socket and its data are. A socket wants a short path.
        options: options of the command line, such as "--maxclients", "1".
        binary: the server; the embedded broker's when omitted.
        port: a free one, to listen on instead of the socket.
    """

    def __init__(self, folder: Path, *options: str, binary: str | Path | None = None, port: int | None = None) -> None:
        self._place: dict[str, Any] = {"unix_socket_path": str(folder / "redis.sock")}
        listen = ["--port", "0", "--unixsocket", str(folder / "redis.sock")]
        if port is not None:
            self._place = {"host": HOST, "port": port}
            listen = ["--port", str(port), "--bind", HOST]
        self._command = [str(binary or embedded._server_binary()), *listen, "--dir", str(folder), "--save", ""]
        self._command += ["--appendonly", "yes", *options]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return self.url_of(0)

    def url_of(self, database: int) -> str:
        """Return the URL of one of its databases."""
        if "port" in self._place:
            return f"redis://{HOST}:{self._place['port']}/{database}"
        return f"redis+socket://{self._place['unix_socket_path']}?virtual_host={database}"

    def client(self) -> "redis.Redis":
        """Return a client that asks once and waits for two seconds."""
        return redis.Redis(**self._place, socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(self._command, **quiet)  # type: ignore[call-overload]
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"this server did not start: {' '.join(self._command)}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it as an administrator does."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                with suppress(*ANSWERS):
                    client.ping()
            except (redis.ConnectionError, redis.TimeoutError):
                return False
        return True


@contextmanager
def empty_broker(url: str, app: Any) -> Iterator[str]:
    """Lend a broker that holds no message, and empty it again. End the test run where it holds one: it is in use.

    Args:
        url: that of the broker.
        app: that of the project. On RabbitMQ, its queues are looked into, and deleted; what is delayed is purged.
    """
    named = DEAD_LETTERS, *(queue.name for queue in app.conf.task_queues)
    queues = [rabbitmq_names.on_server(app.main, name) for name in named]
    levels = [rabbitmq_names.on_server(app.main, name) for name in rabbitmq_delays.level_queues()]
    with Connection(url) as connection:
        is_redis = connection.transport.driver_type == "redis"
        if connection.default_channel.client.dbsize() if is_redis else _filled(connection, [*queues, *levels]):
            pytest.exit(f"{connection.as_uri()} is not empty: give the tests a broker of their own", 1)
    yield url
    with Connection(url) as connection:
        if is_redis:
            connection.default_channel.client.flushdb()
            return
        for queue in queues:
            connection.default_channel.queue_delete(queue)
        for queue in _filled(connection, levels):
            connection.default_channel.queue_purge(queue)


def purge(app: Any) -> None:
    """Remove what waits in the queues, what is delayed, and the dead letters, while a worker may run."""
    with app.connection_for_write() as connection:
        app.amqp.TaskConsumer(connection).purge()
        channel = connection.default_channel
        if connection.transport.driver_type == "redis":
            with channel.conn_or_acquire() as client:
                client.delete(DELAYED)
        else:
            for queue in _filled(connection, rabbitmq_delays.level_queues()):
                channel.queue_purge(queue)
    app.dead_letters.purge(all=True)


def _filled(connection: Any, queues: Iterable[str]) -> list[str]:
    """Return the queues that hold messages."""
    return [queue for queue in queues if _holds_messages(connection, queue)]


def _holds_messages(connection: Any, queue: str) -> bool:
    try:
        with connection.channel() as channel:
            return bool(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return False  # there is no such queue
