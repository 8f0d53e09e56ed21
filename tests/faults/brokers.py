"""Faults of a broker when a task is published: RabbitMQ and Redis, through Celery and kombu."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from celery import Celery
from kombu import Connection

from tests.faults.fault import Fault, Unavailable
from tests.faults.loopback import HOST, closed_port, served_port, silent_port
from tests.faults.redis_process import redis_folder, redis_process

RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"
PASSWORD = "correct"
TIMEOUT = 0.3
RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}


@contextmanager
def faults() -> Iterator[list[Fault]]:
    _require_rabbitmq()
    with redis_folder() as folder, ExitStack() as stack:
        closed = stack.enter_context(closed_port())
        silent = stack.enter_context(silent_port())
        hanging_up = stack.enter_context(served_port(lambda connection: connection.recv(4096)))
        protected = stack.enter_context(redis_process(folder, "--requirepass", PASSWORD))
        full = stack.enter_context(redis_process(folder, "--maxmemory", "1"))
        cases = [
            ("wrong password", "external.auth", "amqp://guest:wrong@127.0.0.1:5672//"),
            ("unknown virtual host", "external.auth", "amqp://guest:guest@127.0.0.1:5672/nowhere"),
            ("wrong password", "database.auth", f"redis://:wrong@{HOST}:{protected}/0"),
            ("no password", "database.auth", f"redis://{HOST}:{protected}/0"),
        ]
        for scheme in ("amqp", "redis"):
            cases += [
                ("refused", "network.unavailable", f"{scheme}://{HOST}:{closed}//"),
                ("DNS", "network.dns", f"{scheme}://broker.invalid//"),
                ("silent broker", "network.timeout", f"{scheme}://{HOST}:{silent}//"),
                ("closed without reply", "network.disconnected", f"{scheme}://{HOST}:{hanging_up}//"),
            ]
        found = []
        for name, expected, url in cases:
            scheme = urlsplit(url).scheme
            found += [
                Fault(name, f"Celery, {scheme}", expected, partial(publish, url)),
                Fault(name, f"kombu, {scheme}", expected, partial(connect, url)),
            ]
        cause = partial(publish, f"redis://{HOST}:{full}/0")
        found.append(Fault("OOM", "Celery, redis", "database.unavailable", cause))
        cause = partial(publish_after_stop, folder)
        yield [*found, Fault("stopped", "Celery, redis", "network.unavailable", cause)]


def _require_rabbitmq() -> None:
    server = urlsplit(RABBITMQ)
    try:
        socket.create_connection((server.hostname, server.port), timeout=2).close()
    except OSError as error:
        raise Unavailable(f"no RabbitMQ answers at {server.hostname}:{server.port} ({error})") from None


def _transport_options(url: str) -> dict[str, float]:
    redis = urlsplit(url).scheme == "redis"
    return {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT} if redis else {}


def application(url: str) -> Celery:
    """A Celery whose broker is at `url`, and which is not the current one of the process."""
    app = Celery(broker=url, set_as_current=False)
    app.conf.update(broker_connection_timeout=TIMEOUT, broker_transport_options=_transport_options(url))
    return app


def publish(url: str) -> None:
    with application(url) as app:
        app.send_task("shop.charge", retry_policy=RETRY_POLICY)


def connect(url: str) -> None:
    options = _transport_options(url)
    with closing(Connection(url, connect_timeout=TIMEOUT, transport_options=options)) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)


def publish_after_stop(folder: Path) -> None:
    """Publish, and publish again after the broker was stopped."""
    with ExitStack() as broker:
        url = f"redis://{HOST}:{broker.enter_context(redis_process(folder))}/0"
        with application(url) as app:
            app.send_task("shop.charge", retry_policy=RETRY_POLICY)
            broker.close()
            app.send_task("shop.charge", retry_policy=RETRY_POLICY)
