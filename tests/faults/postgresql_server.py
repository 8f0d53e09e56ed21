"""PostgreSQL servers with data folders of their own, on ports of 127.0.0.1, ended with the area that asked."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from tests.faults.fault import Unavailable
from tests.faults.loopback import closed_port
from tests.faults.sql_clients import Address, psycopg_arguments

SETTINGS = {
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "14",
    "deadlock_timeout": "50ms",
    "shared_buffers": "16MB",
    "wal_level": "replica",
}
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
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as root, ExitStack() as stack:
        folder = Path(root)
        _give_away(folder)
        password = secrets.token_hex(8)
        _initialize(programs, folder / "running", password)
        _forbid_database(folder / "running", "vault")
        shutil.copytree(folder / "running", folder / "stopping")
        shutil.copytree(folder / "running", folder / "starting")
        barrier = folder / "barrier"
        barrier.touch()
        (folder / "starting" / "recovery.signal").touch()
        restore = f"while test -e {barrier}; do sleep 0.05; done; false"
        _give_away(folder)

        administrator = stack.enter_context(_server(programs, folder / "running", password))
        doomed = stack.enter_context(_server(programs, folder / "stopping", password))
        starting = stack.enter_context(
            _server(programs, folder / "starting", password, restore_command=restore)
        )
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


def _programs() -> Path:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if all((folder / program).exists() for program in ("initdb", "postgres")):
            return folder
    raise Unavailable("PostgreSQL is not installed")


def _account() -> pwd.struct_passwd | None:
    """Who runs the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    account = names.get("postgres") or names.get("nobody")
    if account is None:
        raise Unavailable("PostgreSQL refuses root, and there is no user 'postgres' or 'nobody'")
    return account


def _give_away(folder: Path) -> None:
    if account := _account():
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, account.pw_uid, account.pw_gid)


def _as_account() -> dict[str, object]:
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def _initialize(programs: Path, data: Path, password: str) -> None:
    data.mkdir(mode=0o700)
    password_file = data.parent / "password"
    password_file.write_text(password)
    _give_away(data.parent)
    command = [programs / "initdb", "--pgdata", data, "--username=administrator", "--no-sync"]
    command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--no-locale", "--encoding=UTF8"]
    command += ["--wal-segsize=1"]
    done = subprocess.run(
        command, cwd=data.parent, capture_output=True, text=True, check=False, **_as_account()
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")


def _forbid_database(data: Path, name: str) -> None:
    access = data / "pg_hba.conf"
    access.write_text(f"host {name} all all reject\n{access.read_text()}")


@contextmanager
def _server(programs: Path, data: Path, password: str, **settings: str) -> Iterator[Address]:
    with closed_port() as port:
        pass
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
    for name, value in {**SETTINGS, **settings}.items():
        command += ["-c", f"{name}={value}"]
    with (data.parent / f"{data.name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=data, stdout=log, stderr=log, **_as_account())
    try:
        yield Address("127.0.0.1", port, "administrator", password, "postgres")
    finally:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
