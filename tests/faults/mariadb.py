"""Faults of MariaDB, through PyMySQL, SQLAlchemy and Django, in a database of its own on a running server."""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

import pymysql
import sqlalchemy

from tests.faults.address import Address
from tests.faults.fault import Fault, Unavailable
from tests.faults.loopback import closed_port, silent_port
from tests.faults.sql_clients import (
    Client,
    Execute,
    django_address,
    django_connection,
    executor,
    exhaust_pool,
    pymysql_,
    sqlalchemy_url,
    sqlalchemy_with,
)
from tests.faults.sql_conflicts import TAKE, deadlock, locked_row

SERVER = Address("127.0.0.1", 3306, "root", "", "mysql")


@contextmanager
def by_django(address: Address) -> Iterator[Execute]:
    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()
    connection = django_connection("mysql", address.database, **django_address(address))
    try:
        connection.set_autocommit(False)
        yield executor(connection)
    finally:
        connection.close()


PYMYSQL = Client("PyMySQL", pymysql_)
SQLALCHEMY = Client("SQLAlchemy, PyMySQL", sqlalchemy_with("mysql+pymysql"))
DJANGO = Client("Django, PyMySQL", by_django)


@contextmanager
def faults() -> Iterator[list[Fault]]:
    with _own_database() as own, closed_port() as closed, silent_port() as silent:
        found: list[Fault] = []
        for client in (PYMYSQL, SQLALCHEMY, DJANGO):
            found += _connect_faults(client, own, closed)
            found += _statement_faults(client, own)
            found += _killed_faults(client, own)
        for client, cause in (
            (PYMYSQL, partial(silent_pymysql, own._replace(port=silent))),
            (SQLALCHEMY, partial(silent_sqlalchemy, own._replace(port=silent))),
        ):
            found.append(Fault("silent server", client.library, "database.unavailable", cause))
        cause = partial(idle, PYMYSQL, own)
        found.append(Fault("connection closed when idle", PYMYSQL.library, "database.unavailable", cause))
        cause = partial(exhausted, own)
        yield [*found, Fault("pool exhausted", SQLALCHEMY.library, "database.pool", cause)]


@contextmanager
def administration() -> Iterator[pymysql.cursors.Cursor]:
    with closing(pymysql.connect(**SERVER._asdict(), autocommit=True)) as connection:
        yield connection.cursor()


@contextmanager
def _own_database() -> Iterator[Address]:
    name = f"faults_{secrets.token_hex(6)}"
    own = SERVER._replace(user=name, password=secrets.token_hex(8), database=name)
    try:
        with administration() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute(f"CREATE USER {name}@'%' IDENTIFIED BY '{own.password}'")
            cursor.execute(f"CREATE USER {name}@localhost IDENTIFIED BY '{own.password}'")
    except pymysql.OperationalError as error:
        raise Unavailable(f"no MariaDB at {SERVER.host}:{SERVER.port} lets root in: {error}") from None
    try:
        with administration() as cursor:
            for host in ("'%'", "localhost"):
                cursor.execute(f"GRANT ALL ON {name}.* TO {name}@{host}")
            cursor.execute(f"CREATE TABLE {name}.stock (id integer PRIMARY KEY, amount integer) ENGINE=InnoDB")
            cursor.execute(f"INSERT INTO {name}.stock VALUES (1, 10), (2, 10)")
        yield own
    finally:
        with administration() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"DROP USER IF EXISTS {name}@'%', {name}@localhost")


def _connect_faults(client: Client, own: Address, closed: int) -> Iterator[Fault]:
    for name, expected, address in (
        ("wrong password", "database.auth", own._replace(password="wrong")),
        ("no privilege on the database", "database.auth", own._replace(database="mysql")),
        ("unknown database", "database.auth", SERVER._replace(database=f"{own.database}_no")),
        ("refused", "database.unavailable", own._replace(port=closed)),
        ("DNS", "database.unavailable", own._replace(host="database.invalid")),
    ):
        yield Fault(name, client.library, expected, partial(client.execute, address))


def _statement_faults(client: Client, own: Address) -> Iterator[Fault]:
    for name, expected, statements in (
        ("unique violation", "database.query", ["INSERT INTO stock VALUES (1, 1)"]),
        ("undefined table", "database.query", ["SELECT * FROM nowhere"]),
        ("syntax error", "database.query", ["SELEKT 1"]),
        ("no privilege", "database.query", ["SELECT * FROM mysql.user"]),
        (
            "statement time-out",
            "database.timeout",
            ["SET max_statement_time = 0.1", "SELECT COUNT(*) FROM stock WHERE SLEEP(2)"],
        ),
        ("read-only transaction", "database.unavailable", ["SET TRANSACTION READ ONLY", TAKE.format(1)]),
    ):
        yield Fault(name, client.library, expected, partial(client.execute, own, *statements))
    yield Fault("deadlock", client.library, "database.conflict", partial(deadlock, client, own))
    wait = ("SET innodb_lock_wait_timeout = 0", TAKE.format(1))
    no_wait = ("SELECT * FROM stock WHERE id = 1 FOR UPDATE NOWAIT",)
    for name, statements in (("lock wait time-out", wait), ("lock not available", no_wait)):
        yield Fault(name, client.library, "database.conflict", partial(locked_row, client, own, *statements))


def _killed_faults(client: Client, own: Address) -> Iterator[Fault]:
    # SQLAlchemy wants a rollback before it uses the connection again, and says so with an error of its own.
    reuse = "no rollback after a loss" if client is SQLALCHEMY else "reuse of a dead connection"
    for name, cause in (("killed connection", killed), (reuse, used_again)):
        yield Fault(name, client.library, "database.unavailable", partial(cause, client, own))


def killed(client: Client, own: Address) -> None:
    with client.connect(own) as execute:
        _kill(execute)
        execute("SELECT 1")


def used_again(client: Client, own: Address) -> None:
    with client.connect(own) as execute:
        _kill(execute)
        with suppress(Exception):
            execute("SELECT 1")
        execute("SELECT 1")


def _kill(execute: Execute) -> None:
    connection_id = execute("SELECT CONNECTION_ID()")
    with administration() as cursor:
        cursor.execute(f"KILL {connection_id}")


def idle(client: Client, own: Address) -> None:
    with client.connect(own) as execute:
        execute("SET wait_timeout = 1")
        time.sleep(1.2)
        execute("SELECT 1")


def silent_pymysql(silent: Address) -> None:
    pymysql.connect(**silent._asdict(), connect_timeout=1, read_timeout=0.3)


def silent_sqlalchemy(silent: Address) -> None:
    arguments: dict[str, Any] = {"connect_timeout": 1, "read_timeout": 0.3}
    sqlalchemy.create_engine(sqlalchemy_url("mysql+pymysql", silent), connect_args=arguments).connect()


def exhausted(own: Address) -> None:
    exhaust_pool("mysql+pymysql", own)
