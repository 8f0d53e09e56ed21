import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

DEADLINE = 20.0  # seconds


class WorkerProcess:
    """A worker in a process of its own, started in another folder than the project's."""

    def __init__(
        self,
        package: str,
        log: Path,
        *options: str,
        concurrency: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        quick = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")
        self.command = [sys.executable, "-m", "celery", "-A", package, "worker", *quick]
        # RabbitMQ turns away a second worker of the same name.
        self.command += ["--hostname", f"{log.stem}@%h", "--concurrency", str(concurrency), *options]
        self.log = log
        self.environment = environment or os.environ

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd="/",
                env=dict(self.environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.wait_for(lambda: " ready." in self.output())
        except BaseException:
            self.stop()
            raise

    def stop_gently(self) -> None:
        """Stop as a deploy does. One that is killed may take a message with it that was on its way to it."""
        self.process.terminate()
        self.process.wait(timeout=DEADLINE)

    def stop(self) -> None:
        # A gentle stop takes Celery two seconds; the broker of a test is thrown away anyway.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return as soon as the condition holds; fail with the log at the deadline or when the worker ends."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert self.process.poll() is None, f"the worker ended:\n{self.output()}"
            assert time.monotonic() < deadline, f"nothing happened in time:\n{self.output()}"
            time.sleep(0.02)
