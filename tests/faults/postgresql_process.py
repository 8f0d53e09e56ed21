"""A PostgreSQL with a data folder of its own, on a port of 127.0.0.1, ended by its process id."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.address import Address
from tests.faults.fault import Unavailable
from tests.faults.loopback import closed_port

SETTINGS = {
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "14",
    "deadlock_timeout": "50ms",
    "shared_buffers": "16MB",
    "wal_level": "replica",
}


def programs() -> Path:
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


def give_away(folder: Path) -> None:
    if account := _account():
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, account.pw_uid, account.pw_gid)


def _as_account() -> dict[str, object]:
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def initialize(programs: Path, data: Path, password: str) -> None:
    data.mkdir(mode=0o700)
    password_file = data.parent / "password"
    password_file.write_text(password)
    give_away(data.parent)
    command = [programs / "initdb", "--pgdata", data, "--username=administrator", "--no-sync"]
    command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--no-locale", "--encoding=UTF8"]
    command += ["--wal-segsize=1"]
    done = subprocess.run(command, cwd=data.parent, capture_output=True, text=True, check=False, **_as_account())
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")


@contextmanager
def server(programs: Path, data: Path, password: str, *, port: int | None = None, **settings: str) -> Iterator[Address]:
    with closed_port() as free:
        port = port or free
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
