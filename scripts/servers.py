"""Which servers the tests start: those of this machine, or with SERVERS=trixie those of Debian 13 in a folder.

These are RabbitMQ 4 and Redis 8. debootstrap makes the folder, `.tools/trixie`, which takes a minute or two, once.
"""

import os
import shutil
import subprocess
from pathlib import Path

from .baking import TEMPLATE
from .unavailable import Unavailable

PACKAGES = "rabbitmq-server,redis-server"
FOLDER = TEMPLATE / ".tools/trixie"
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def root() -> Path | None:
    """Return the folder of the system whose servers are started, None for this machine's own.

    Raises:
        Unavailable: it cannot be made here.
    """
    if os.environ.get("SERVERS", "") != "trixie":
        return None
    if not FOLDER.exists():
        _make()
    return FOLDER


def temporary_folder() -> Path | None:
    """Return where a temporary folder is made that the servers see, None for the usual place."""
    folder = root()
    return folder / "tmp" if folder else None


def seen_by_rabbitmq(path: Path) -> Path:
    """Return the path that RabbitMQ, in the folder of its system, has for a path of this machine."""
    folder = root()
    return Path("/", path.relative_to(folder)) if folder else path


def _make() -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise Unavailable("SERVERS=trixie wants root, and debootstrap: apt-get install debootstrap")
    part = FOLDER.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(exist_ok=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", str(part)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"debootstrap failed: {done.stdout.strip().splitlines()[-1:]}")
    _write_redis_server(part)
    part.rename(FOLDER)


def _write_redis_server(folder: Path) -> None:
    """Write a program that runs the Redis of the folder with its own libraries, and sees the files of this machine."""
    loader = next(folder.glob("usr/lib*/ld-linux*")).relative_to(folder)
    libraries = next(folder.glob("usr/lib/*-linux-gnu*")).relative_to(folder)
    program = folder / "redis-server"
    program.write_text(
        f'#!/bin/sh\nexec "{FOLDER / loader}" --library-path "{FOLDER / libraries}" "{FOLDER}/usr/bin/redis-server" "$@"\n'
    )
    program.chmod(0o755)


def redis_binary() -> Path:
    """Return the program of a Redis.

    Raises:
        Unavailable: there is none.
    """
    if folder := root():
        return folder / "redis-server"
    found = shutil.which("redis-server")
    if found is None:
        raise Unavailable("redis-server is not installed")
    return Path(found)


def rabbitmq_binary() -> Path:
    """Return the program of a RabbitMQ, as its `root()` sees it.

    Raises:
        Unavailable: there is none.
    """
    if root():
        return RABBITMQ
    found = shutil.which("rabbitmq-server")
    if found is None:
        raise Unavailable("rabbitmq-server is not installed")
    # Debian's is a wrapper that becomes the user of the machine's own node; the server itself lies beside it.
    return Path(found).resolve().parent / "rabbitmq-server"
