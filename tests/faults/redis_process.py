"""A Redis with a folder of its own, on a port of 127.0.0.1, ended by its process id."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.faults.fault import Unavailable
from tests.faults.loopback import HOST, closed_port

START_SECONDS = 10


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
    command = ["redis-server", "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", ""]
    process = subprocess.Popen(
        [*command, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        _await_answer(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _await_answer(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(redis.ConnectionError, redis.TimeoutError):
            _ping(port)
            return
        time.sleep(0.01)
    raise RuntimeError(f"Redis does not answer on port {port}")


def _ping(port: int) -> None:
    # An error that Redis says is an answer, too: it wants a password, or it loads.
    once = Retry(NoBackoff(), 0)
    with (
        redis.Redis(host=HOST, port=port, socket_timeout=1, retry=once) as client,
        suppress(redis.ResponseError, redis.AuthenticationError, redis.BusyLoadingError),
    ):
        client.ping()
