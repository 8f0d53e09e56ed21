"""Faults of SQLite, through sqlite3, SQLAlchemy and Django."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import sqlalchemy

from tests.faults.address import Address
from tests.faults.fault import Fault
from tests.faults.sql_clients import Client, Execute, django_connection, executor

WAIT_SECONDS = 0.1


@contextmanager
def sqlite3_(address: Address) -> Iterator[Execute]:
    uri = address.database.startswith("file:")
    with closing(sqlite3.connect(address.database, timeout=WAIT_SECONDS, uri=uri)) as connection:
        yield executor(connection)


@contextmanager
def by_sqlalchemy(address: Address) -> Iterator[Execute]:
    uri = address.database.startswith("file:")
    url = sqlalchemy.URL.create("sqlite", database=address.database, query={"uri": "true"} if uri else {})
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": WAIT_SECONDS})
    try:
        with engine.connect() as connection:
            yield connection.exec_driver_sql
    finally:
        engine.dispose()


@contextmanager
def by_django(address: Address) -> Iterator[Execute]:
    connection = django_connection("sqlite3", address.database, OPTIONS={"timeout": WAIT_SECONDS})
    try:
        yield executor(connection)
    finally:
        connection.close()


CLIENTS = [
    Client("sqlite3", sqlite3_),
    Client("SQLAlchemy, sqlite3", by_sqlalchemy),
    Client("Django, sqlite3", by_django),
]


@contextmanager
def faults() -> Iterator[list[Fault]]:
    with tempfile.TemporaryDirectory(prefix="sqlite-") as folder:
        file = Path(folder) / "shop.sqlite3"
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("CREATE TABLE stock (id integer PRIMARY KEY, amount integer CHECK (amount >= 0))")
            connection.execute("INSERT INTO stock VALUES (1, 10)")
        torn = Path(folder) / "torn.sqlite3"
        torn.write_bytes(b"no database at all" * 100)
        yield [fault for client in CLIENTS for fault in _client_faults(client, file, torn)]


def _client_faults(client: Client, file: Path, torn: Path) -> Iterator[Fault]:
    take = "UPDATE stock SET amount = amount - 1"
    missing = file.parent / "missing" / "shop.sqlite3"
    for name, expected, database, statement in (
        ("unique violation", "database.query", file, "INSERT INTO stock VALUES (1, 1)"),
        ("check violation", "database.query", file, "UPDATE stock SET amount = -1"),
        ("undefined table", "database.query", file, "SELECT * FROM nowhere"),
        ("syntax error", "database.query", file, "SELEKT 1"),
        ("unable to open", "database.query", missing, "SELECT * FROM stock"),
        ("not a database", "database.query", torn, "SELECT * FROM stock"),
        ("read-only", "database.query", f"file:{file}?mode=ro", take),
    ):
        address = Address("", 0, "", "", str(database))
        yield Fault(name, client.library, expected, partial(client.execute, address, statement))
    cause = partial(locked, client, file, take)
    yield Fault("locked", client.library, "database.conflict", cause)


def locked(client: Client, file: Path, statement: str) -> None:
    """Execute the statement while another connection writes."""
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        client.execute(Address("", 0, "", "", str(file)), statement)
