"""Faults of PostgreSQL, through psycopg 3, psycopg2, SQLAlchemy and Django."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import psycopg
import psycopg2
import sqlalchemy

from tests.faults.address import Address
from tests.faults.fault import Fault
from tests.faults.loopback import closed_port, silent_port
from tests.faults.postgresql_pools import pool_faults
from tests.faults.postgresql_server import Servers, administration, postgresql_servers
from tests.faults.sql_clients import (
    Client,
    django_with,
    psycopg_2,
    psycopg_3,
    psycopg_arguments,
    sqlalchemy_url,
    sqlalchemy_with,
)
from tests.faults.sql_conflicts import TAKE, deadlock, locked_row

PSYCOPG_3 = Client("psycopg 3", psycopg_3)
PSYCOPG_2 = Client("psycopg2", psycopg_2)
SQLALCHEMY = Client("SQLAlchemy, psycopg 3", sqlalchemy_with("postgresql+psycopg"))
SQLALCHEMY_2 = Client("SQLAlchemy, psycopg2", sqlalchemy_with("postgresql+psycopg2"))
DJANGO = Client("Django, psycopg 3", django_with("postgresql"))


class Statements(NamedTuple):
    """Statements of one transaction of which the last one fails."""

    name: str
    expected: str
    statements: tuple[str, ...]


FAILING_STATEMENTS = [
    Statements("unique violation", "database.query", ("INSERT INTO stock VALUES (1, 1)",)),
    Statements("undefined table", "database.query", ("SELECT * FROM nowhere",)),
    Statements("syntax error", "database.query", ("SELEKT 1",)),
    Statements("invalid text", "database.query", ("SELECT 'ten'::integer",)),
    Statements("no privilege", "database.query", ("SELECT * FROM pg_authid",)),
    Statements(
        "statement time-out",
        "database.timeout",
        ("SET LOCAL statement_timeout = 50", "SELECT pg_sleep(5)"),
    ),
    Statements(
        "read-only transaction",
        "database.unavailable",
        ("SET TRANSACTION READ ONLY", TAKE.format(1)),
    ),
]


@contextmanager
def faults() -> Iterator[list[Fault]]:
    with postgresql_servers() as servers, closed_port() as closed, silent_port() as silent:
        cause = partial(PSYCOPG_3.execute, servers.running._replace(port=silent))
        found = [Fault("connect time-out", PSYCOPG_3.library, "database.unavailable", cause)]
        for client in (PSYCOPG_3, PSYCOPG_2, SQLALCHEMY, SQLALCHEMY_2, DJANGO):
            found += _connect_faults(client, servers, closed)
            found += _statement_faults(client, servers.running)
            found += _session_faults(client, servers)
        for client, driver in ((PSYCOPG_3, psycopg), (PSYCOPG_2, psycopg2)):
            cause = partial(severed, driver, servers.running)
            found.append(Fault("connection severed", client.library, "database.unavailable", cause))
        for client in (PSYCOPG_3, PSYCOPG_2, DJANGO):
            cause = partial(used_again, client, servers)
            found.append(Fault("reuse of a dead connection", client.library, "database.unavailable", cause))
        for client, name in ((SQLALCHEMY, "postgresql+psycopg"), (SQLALCHEMY_2, "postgresql+psycopg2")):
            cause = partial(closed_in_pool, name, servers.running)
            found.append(Fault("reuse of a dead connection", client.library, "database.unavailable", cause))
            cause = partial(used_again, client, servers)
            found.append(Fault("no rollback after a loss", client.library, "database.unavailable", cause))
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
        yield [*found, *pool_faults(servers.running, closed)]


def _connect_faults(client: Client, servers: Servers, closed: int) -> Iterator[Fault]:
    own = servers.running
    for name, expected, address in (
        ("wrong password", "database.auth", own._replace(password="wrong")),
        ("no password", "database.auth", own._replace(password="")),
        ("unknown user", "database.auth", own._replace(user="nobody")),
        ("unknown database", "database.auth", own._replace(database="nowhere")),
        ("no privilege to connect", "database.auth", own._replace(database="postgres")),
        ("no privilege to log in", "database.auth", own._replace(user="group")),
        ("host rejected", "database.auth", own._replace(database="vault")),
        ("DNS", "network.dns", own._replace(host="database.invalid")),
        ("refused", "database.unavailable", own._replace(port=closed)),
        ("no unix socket", "database.unavailable", own._replace(host="/nonexistent")),
        ("starting up", "database.unavailable", servers.starting),
        ("shutting down", "database.unavailable", servers.stopping),
        ("too many connections for role", "database.unavailable", own._replace(user="excluded")),
    ):
        yield Fault(name, client.library, expected, partial(client.execute, address))
    for name, address in (("connection slots taken", own), ("too many clients", servers.administrator)):
        cause = partial(too_many_clients, client, address)
        yield Fault(name, client.library, "database.unavailable", cause)


def _statement_faults(client: Client, own: Address) -> Iterator[Fault]:
    for name, expected, statements in FAILING_STATEMENTS:
        yield Fault(name, client.library, expected, partial(client.execute, own, *statements))
    yield Fault("deadlock", client.library, "database.conflict", partial(deadlock, client, own))
    no_wait = ("SELECT * FROM stock FOR UPDATE NOWAIT",)
    lock_timeout = ("SET LOCAL lock_timeout = 50", TAKE.format(1))
    for name, statements in (("lock not available", no_wait), ("lock time-out", lock_timeout)):
        yield Fault(name, client.library, "database.conflict", partial(locked_row, client, own, *statements))


def _session_faults(client: Client, servers: Servers) -> Iterator[Fault]:
    own = servers.running
    causes: list[tuple[str, str, Callable[[], object]]] = [
        ("serialization failure", "database.conflict", partial(serialization_failure, client, own)),
        ("terminated backend", "database.unavailable", partial(terminated, client, servers)),
        ("idle in transaction", "database.unavailable", partial(idle_in_transaction, client, own)),
    ]
    for name, expected, cause in causes:
        yield Fault(name, client.library, expected, cause)


def too_many_clients(client: Client, address: Address) -> None:
    """Take all connections that the user may have, then connect."""
    try:
        with ExitStack() as stack:
            with suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(psycopg_3(address))
            client.execute(address)
    finally:
        _await_departure(address)


def _await_departure(address: Address) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    for _ in range(200):
        with suppress(psycopg.OperationalError), administration(address) as connection:
            if connection.execute(query).fetchone() == (1,):
                return
        time.sleep(0.01)
    raise RuntimeError("connections of another cause are still open")


def serialization_failure(client: Client, own: Address) -> None:
    with client.connect(own) as execute:
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        execute("SELECT amount FROM stock")
        with administration(own) as other:
            other.execute(TAKE.format(1))
        execute(TAKE.format(1))


def terminated(client: Client, servers: Servers) -> None:
    with client.connect(servers.running) as execute:
        _terminate(execute("SELECT pg_backend_pid()"), servers)
        execute("SELECT 1")


def used_again(client: Client, servers: Servers) -> None:
    """Use a connection after it has raised because its backend was terminated."""
    with client.connect(servers.running) as execute:
        _terminate(execute("SELECT pg_backend_pid()"), servers)
        with suppress(Exception):
            execute("SELECT 1")
        execute("SELECT 1")


def _terminate(backend: object, servers: Servers) -> None:
    with administration(servers.administrator) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 2000)", [backend])


def idle_in_transaction(client: Client, own: Address) -> None:
    with client.connect(own) as execute:
        execute("SET idle_in_transaction_session_timeout = 20")
        time.sleep(0.1)
        execute("SELECT 1")


def severed(driver: Any, own: Address) -> None:
    """The network takes the connection away."""
    with closing(driver.connect(**psycopg_arguments(own))) as connection:
        with socket.socket(fileno=os.dup(connection.fileno())) as transport:
            transport.shutdown(socket.SHUT_RDWR)
        connection.cursor().execute("SELECT 1")


def closed_in_pool(driver: str, own: Address) -> None:
    """A pool lends a connection that the driver has closed."""
    engine = sqlalchemy.create_engine(sqlalchemy_url(driver, own))
    try:
        with engine.connect() as connection:
            connection.connection.dbapi_connection.close()
            connection.exec_driver_sql("SELECT 1")
    finally:
        engine.dispose()
