"""A Redis of its own, in a folder of its own, ended by its process id."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .unavailable import Unavailable


class RedisServer:
    """A server on a Unix socket, which keeps its data on disk between a stop and a start."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._command = [binary, "--port", "0", "--unixsocket", str(self._socket), "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "yes"]
        self.url = f"redis+socket://{self._socket}?virtual_host=0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._socket.exists():
            assert time.monotonic() < deadline, "redis-server did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Lend a server that runs; end it with all that is in it.

    Raises:
        Unavailable: there is no `redis-server`.
    """
    binary = shutil.which("redis-server")
    if binary is None:
        raise Unavailable("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True) as folder:
        server = RedisServer(binary, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()
