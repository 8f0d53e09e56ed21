"""Run a worker, or beat, in a process of its own, and wait for what it does.

Runs in: the tests. It imports neither Celery nor the project, so the process may be of any environment.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

DEADLINE = 30.0  # seconds
TAIL = 30  # lines of the log that a failure shows
SIGN_OF_LIFE = {"worker": " ready.", "beat": "beat: Starting"}


class NothingHappened(AssertionError):
    """What a test has waited for did not happen."""


class WorkerProcess:
    """Run `celery -A PACKAGE worker`. As a context manager, wait until it is ready, and end it by SIGKILL.

    Args:
        package: the package that exports the app.
        log: the file for what it prints. The stem becomes the name of the worker.
        options: further options of the command.
        command: "worker" or "beat".
        concurrency: how many processes a worker has for its tasks.
        python: the interpreter of the environment to run it in.
        environment: the variables of the process; those of this one when omitted.
        folder: where it starts. No project is there, so a worker that finds its project does so by the import path.
    """

    def __init__(
        self,
        package: str,
        log: Path,
        *options: str,
        command: str = "worker",
        concurrency: int = 1,
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
        folder: str | Path = "/",
    ) -> None:
        self.command = [str(python), "-m", "celery", "-A", package, command, "--loglevel", "INFO"]
        if command == "worker":
            self.command += ["--without-gossip", "--without-mingle", "--concurrency", str(concurrency)]
            # RabbitMQ turns away a second worker of the same name.
            self.command += ["--hostname", f"{log.stem}@%h"]
        self.command += options
        self.log = log
        self.folder = folder
        given = os.environ if environment is None else environment
        self.environment = {"CELERY_HEALTH_FOLDER": str(log.parent / "health"), **given}
        self.seen = 0  # how much of the output is of an earlier test
        self._sign = SIGN_OF_LIFE[command]
        self._is_stopped = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.launch()
        try:
            self.wait_for(lambda: self._sign in self.output())
        except BaseException:
            self.stop()
            raise

    def launch(self) -> None:
        """Start it, and return at once."""
        self.seen, self._is_stopped = 0, False
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it and its children by SIGKILL: a gentle stop takes Celery two seconds."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop_gently(self) -> None:
        """Stop it as a deploy does: a worker that is killed may take a message with it that is on its way."""
        self._is_stopped = True
        self.process.terminate()
        self.process.wait(timeout=DEADLINE)

    def restart(self, **environment: str) -> None:
        """Start it anew, with these variables as well. The fixture `worker` takes them back after the test."""
        self.stop()
        self.environment = {**self.environment, **environment}
        self.start()

    def is_running(self) -> bool:
        """Whether it runs.

        Raises:
            NothingHappened: it has ended by itself: no signal and no `stop_gently()` has ended it.
        """
        status = self.process.poll()
        if status is not None and status >= 0 and not self._is_stopped:
            raise NothingHappened(f"the {self.log.stem} has ended by itself, with {status}:\n{self.tail()}")
        return status is None

    def output(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text()

    def tail(self, lines: int = TAIL) -> str:
        """Return the last lines that it has printed during this test."""
        return "\n".join(self.output()[self.seen :].splitlines()[-lines:])

    def wait_for(self, condition: Callable[[], object], timeout: float = DEADLINE) -> None:
        """Return as soon as the condition holds.

        Raises:
            NothingHappened: it does not hold in `timeout` seconds, or the process has ended. It shows its last lines.
        """
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        while not condition():
            if not self.is_running():
                raise NothingHappened(f"the {self.log.stem} has ended:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise NothingHappened(f"nothing happened in {timeout:g} s; the {self.log.stem} printed:\n{self.tail()}")
            time.sleep(0.02)
