"""Faults of Redis, through redis-py."""

import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.faults.fault import Fault
from tests.faults.loopback import HOST, served_port
from tests.faults.redis_states import PASSWORD, Ports, client, start_all

LIBRARY = "redis-py"
# What Redis answers in states that take a cluster to get into.
ANSWERS = {
    "CLUSTERDOWN": b"-CLUSTERDOWN Hash slot not served\r\n",
    "NOREPLICAS": b"-NOREPLICAS Not enough good replicas to write.\r\n",
    "TRYAGAIN": b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
    "UNBLOCKED": b"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n",
}


@contextmanager
def faults() -> Iterator[list[Fault]]:
    with ExitStack() as stack:
        ports = start_all(stack)
        found = [*_connect_faults(ports), *_command_faults(ports), *_pool_faults(ports)]
        for name, answer in ANSWERS.items():
            port = stack.enter_context(served_port(partial(answer_always, answer)))
            found.append(_fault(name, "database.unavailable", partial(write, port, protocol=2)))
        yield found


def answer_always(answer: bytes, connection: socket.socket) -> None:
    """Give the same answer to each command."""
    while commands := connection.recv(4096):
        connection.sendall(answer * len(re.findall(rb"^\*\d+\r$", commands, re.MULTILINE)))


def _fault(name: str, expected: str, cause: Callable[[], object]) -> Fault:
    return Fault(name, LIBRARY, expected, cause)


def _connect_faults(ports: Ports) -> Iterator[Fault]:
    for name, expected, port, options in (
        ("wrong password", "database.auth", ports.protected, {"password": "wrong"}),
        ("no password", "database.auth", ports.protected, {}),
        ("password for a server without", "database.auth", ports.open, {"password": "any", "protocol": 2}),
        ("unknown user", "database.auth", ports.open, {"username": "nobody", "password": "any"}),
        ("refused", "network.unavailable", ports.closed, {}),
        ("no unix socket", "network.unavailable", 0, {"unix_socket_path": "/nonexistent/redis.sock"}),
        ("DNS", "network.dns", ports.open, {"host": "redis.invalid"}),
        ("connect time-out", "network.timeout", ports.unreachable, {}),
        ("read time-out", "network.timeout", ports.silent, {}),
        ("closed without reply", "network.disconnected", ports.hanging_up, {}),
        ("LOADING", "database.unavailable", ports.loading, {}),
        ("READONLY", "database.unavailable", ports.replica, {}),
        ("OOM", "database.unavailable", ports.full, {}),
        ("MISCONF", "database.unavailable", ports.unsaved, {}),
        ("NOPERM", "database.auth", ports.open, {"username": "reader", "password": PASSWORD}),
    ):
        yield _fault(name, expected, partial(write, port, **options))
    yield _fault("max number of clients", "database.unavailable", partial(crowd, ports.crowded))
    for name, port in (("READONLY", ports.replica), ("OOM", ports.full), ("MISCONF", ports.unsaved)):
        for kind, transaction in (("pipeline", False), ("transaction", True)):
            cause = partial(write_in_pipeline, port, transaction)
            yield _fault(f"{name} in a {kind}", "database.unavailable", cause)


def write(port: int, **options: Any) -> None:
    with client(port, **options) as connected:
        connected.set("key", 1)


def write_in_pipeline(port: int, transaction: bool) -> None:
    with client(port) as connected, connected.pipeline(transaction=transaction) as pipeline:
        pipeline.set("key", 1).execute()


def crowd(port: int) -> None:
    """Take the one connection that the server allows, then connect."""
    with client(port, retry=Retry(NoBackoff(), 50)) as first, client(port) as second:
        first.ping()
        second.ping()


def _command_faults(ports: Ports) -> Iterator[Fault]:
    yield _fault("MASTERDOWN", "database.unavailable", partial(run, ports.stale_replica, "GET", "key"))
    for name, command in (
        ("WRONGTYPE", ("GET", "list")),
        ("unknown command", ("SELEKT", "1")),
        ("NOSCRIPT", ("EVALSHA", "0" * 40, "0")),
        ("not an integer", ("INCR", "key0")),
    ):
        yield _fault(name, "database.query", partial(run, ports.open, *command))
    yield _fault("BUSY", "database.unavailable", partial(busy, ports.open))
    yield _fault("killed connection", "network.disconnected", partial(killed, ports.open))
    yield _fault("lock not acquired", "database.conflict", partial(locked, ports.open))
    yield _fault("watched key changed", "database.conflict", partial(watched, ports.open))


def run(port: int, *command: str) -> None:
    with client(port) as connected:
        connected.execute_command(*command)


def busy(port: int) -> None:
    """Send a command while a script runs that does not end by itself."""
    with (
        client(port, socket_timeout=5) as running,
        client(port) as waiting,
        ThreadPoolExecutor(1) as thread,
    ):
        waiting.ping()
        script = thread.submit(running.eval, "while true do end", 0)
        try:
            while not script.done():
                waiting.get("key")
        finally:
            while not script.done():
                with suppress(redis.ResponseError):
                    waiting.script_kill()


def killed(port: int) -> None:
    with client(port, retry=Retry(NoBackoff(), 0), single_connection_client=True) as victim:
        number = victim.client_id()
        with client(port) as administrator:
            administrator.client_kill_filter(_id=number)
        victim.ping()


def locked(port: int) -> None:
    with (
        client(port) as connected,
        connected.lock("lock", timeout=2),
        connected.lock("lock", timeout=2, blocking_timeout=0.1),
    ):
        pass


def watched(port: int) -> None:
    with client(port) as connected, connected.pipeline() as pipeline:
        pipeline.watch("number")
        connected.incr("number")
        pipeline.multi()
        pipeline.incr("number").execute()


def _pool_faults(ports: Ports) -> Iterator[Fault]:
    for name, make in (
        ("pool exhausted", redis.ConnectionPool),
        ("pool exhausted, after waiting", partial(redis.BlockingConnectionPool, timeout=0.2)),
    ):
        yield _fault(name, "database.pool", partial(exhausted, make, ports.open))


def exhausted(make: Callable[..., redis.ConnectionPool], port: int) -> None:
    pool = make(host=HOST, port=port, max_connections=1)
    try:
        pool.get_connection()
        with redis.Redis(connection_pool=pool, retry=Retry(NoBackoff(), 0)) as connected:
            connected.ping()
    finally:
        pool.disconnect()
