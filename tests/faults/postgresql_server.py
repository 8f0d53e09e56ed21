"""PostgreSQL servers with data folders of their own, on ports of 127.0.0.1, ended with the area that asked."""

import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from tests.faults.address import Address
from tests.faults.postgresql_process import give_away, initialize, programs, server
from tests.faults.sql_clients import psycopg_arguments

START_SECONDS = 20


class Servers(NamedTuple):
    """One server in each state that a client can meet. `administrator` is the superuser of `running`."""

    running: Address
    administrator: Address
    starting: Address
    stopping: Address


@contextmanager
def postgresql_servers() -> Iterator[Servers]:
    """Start the servers and end them with the `with` block.

    Raises:
        Unavailable: when PostgreSQL is not installed.
    """
    found = programs()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as root, ExitStack() as stack:
        folder = Path(root)
        give_away(folder)
        password = secrets.token_hex(8)
        initialize(found, folder / "running", password)
        _forbid_database(folder / "running", "vault")
        shutil.copytree(folder / "running", folder / "stopping")
        shutil.copytree(folder / "running", folder / "starting")
        barrier = folder / "barrier"
        barrier.touch()
        (folder / "starting" / "recovery.signal").touch()
        restore = f"while test -e {barrier}; do sleep 0.05; done; false"
        give_away(folder)

        administrator = stack.enter_context(server(found, folder / "running", password))
        doomed = stack.enter_context(server(found, folder / "stopping", password))
        starting = stack.enter_context(server(found, folder / "starting", password, restore_command=restore))
        _await(administrator)
        _await(doomed)
        _await(starting, "the database system is starting up")

        stack.enter_context(administration(doomed))
        postmaster = int((folder / "stopping" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGTERM)
        _await(doomed, "the database system is shutting down")

        running = administrator._replace(user="app", password=secrets.token_hex(8), database="shop")
        _create_database(administrator, running)
        yield Servers(running, administrator, starting, doomed)


def _forbid_database(data: Path, name: str) -> None:
    access = data / "pg_hba.conf"
    access.write_text(f"host {name} all all reject\n{access.read_text()}")


def _await(address: Address, refusal: str | None = None) -> None:
    """Wait until the server lets in, or until it refuses with `refusal`."""
    end = time.monotonic() + START_SECONDS
    while True:
        message = None
        try:
            with administration(address):
                pass
        except psycopg.OperationalError as error:
            message = str(error)
        if message is refusal or (refusal and message and refusal in message):
            return
        if time.monotonic() > end:
            raise RuntimeError(f"PostgreSQL on port {address.port} answers: {message}")
        time.sleep(0.02)


@contextmanager
def administration(address: Address) -> Iterator[psycopg.Connection]:
    """A connection that commits each statement by itself."""
    connection = psycopg.connect(**psycopg_arguments(address), autocommit=True)
    try:
        yield connection
    finally:
        connection.close()


def _create_database(administrator: Address, own: Address) -> None:
    with administration(administrator) as connection:
        login = f"LOGIN PASSWORD '{own.password}'"
        connection.execute(f"CREATE ROLE {own.user} {login}")
        connection.execute(f"CREATE ROLE excluded {login} CONNECTION LIMIT 0")
        connection.execute(f'CREATE ROLE "group" NO{login}')
        connection.execute(f"CREATE DATABASE {own.database} OWNER {own.user}")
        connection.execute(f"REVOKE CONNECT ON DATABASE {administrator.database} FROM PUBLIC")
    with administration(own) as connection:
        connection.execute("CREATE TABLE stock (id integer PRIMARY KEY, amount integer)")
        connection.execute("INSERT INTO stock VALUES (1, 10), (2, 10)")
