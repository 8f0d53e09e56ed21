"""A Redis of its own, in a folder of its own, ended by its process id."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Unavailable(Exception):
    """Redis is not installed."""


@contextmanager
def redis_server() -> Iterator[str]:
    """Start a Redis on a Unix socket, lend its URL, and end it with all that is in it.

    Raises:
        Unavailable: there is no `redis-server`.
    """
    binary = shutil.which("redis-server")
    if binary is None:
        raise Unavailable("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        address = Path(folder) / "redis.sock"
        command = [binary, "--port", "0", "--unixsocket", address, "--dir", folder, "--save", ""]
        server = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while not address.exists():
                assert time.monotonic() < deadline, "redis-server did not start"
                time.sleep(0.01)
            yield f"redis+socket://{address}?virtual_host=0"
        finally:
            server.terminate()
            server.wait()
