"""A RabbitMQ of its own, in a folder of its own, for tests that stop and start their broker."""

import os
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from . import servers
from .unavailable import Unavailable

START_SECONDS = 60.0
EPMD_PORT = "ERL_EPMD_PORT"


class RabbitMQNode:
    """A node that listens on a free port of 127.0.0.1 and keeps its data between a stop and a start."""

    def __init__(self, folder: Path, configuration: str, advanced: str) -> None:
        self.folder = folder
        root = servers.root()
        inside = servers.seen_by_rabbitmq(folder)
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.process: subprocess.Popen[bytes] | None = None
        self._enter = ["chroot", str(root)] if root else []
        self._binary = servers.rabbitmq_binary()
        self._epmd_port = str(free_port())
        name = f"test-{uuid.uuid4().hex[:8]}@localhost"
        (folder / "enabled_plugins").write_text("[].\n")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")},
            "HOME": str(inside),
            EPMD_PORT: self._epmd_port,
            "RABBITMQ_NODENAME": name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(inside / "data"),
            "RABBITMQ_LOG_BASE": str(inside / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(inside / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(inside / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(inside / "advanced.config"),
        }
        (folder / "rabbitmq.conf").write_text(configuration)
        (folder / "advanced.config").write_text(advanced)

    def start(self) -> None:
        log = (self.folder / "output").open("ab")
        command = [*self._enter, str(self._binary)]
        self.process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"rabbitmq-server did not start: {(self.folder / 'output').read_text()[-500:]}")
            time.sleep(0.1)

    def control(self, *words: str) -> str:
        """Run a command of `rabbitmqctl`, and return what it prints."""
        command = [*self._enter, str(self._binary.with_name("rabbitmqctl")), *words]
        return subprocess.run(command, env=self._environment, check=True, capture_output=True, text=True).stdout

    def stop(self) -> None:
        """End it gently: what was confirmed is on disk."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    def kill(self) -> None:
        """End it and all that it has started."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        # Erlang's port mapper goes its own way as soon as it is started.
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "epmd" and _environment_of(process).get(EPMD_PORT) == self._epmd_port:
                process.kill()


@contextmanager
def rabbitmq_node(configuration: str = "", advanced: str = "[].") -> Iterator[RabbitMQNode]:
    """Start a node with this rabbitmq.conf and advanced.config, and lend it. Kill it afterwards.

    Raises:
        Unavailable: RabbitMQ is not installed, or does not start.
    """
    place = servers.temporary_folder()
    with tempfile.TemporaryDirectory(prefix="rabbitmq-", dir=place, ignore_cleanup_errors=True) as folder:
        node = RabbitMQNode(Path(folder), configuration, advanced)
        try:
            node.start()
            yield node
        finally:
            node.kill()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def _environment_of(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:  # another user's, or gone
        return {}


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(connection.recv(1))
    except OSError:
        return False
