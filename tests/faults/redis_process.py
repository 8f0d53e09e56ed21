"""A Redis with a folder of its own, on a port of 127.0.0.1, ended by its process id."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from celery_runtime.testing.brokers import RedisServer
from tests.faults.fault import Unavailable
from tests.faults.loopback import closed_port


@contextmanager
def redis_folder() -> Iterator[Path]:
    """A folder for the data of a Redis.

    Raises:
        Unavailable: when Redis is not installed.
    """
    if shutil.which("redis-server") is None:
        raise Unavailable("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        yield Path(folder)


@contextmanager
def redis_process(folder: Path, *options: str) -> Iterator[int]:
    """The port of a Redis that has started, or that is loading its data."""
    with closed_port() as port:
        pass
    with RedisServer(folder, "--appendonly", "no", *options, binary="redis-server", port=port):
        yield port
