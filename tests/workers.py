"""Real workers of a baked project, and a wait with a deadline instead of a sleep."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.baking import BakedProject, clean_environment


class Worker:
    """A running worker: its process and what it has printed so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log

    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Return as soon as the condition holds; fail with the log at the deadline or when the worker ends."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"the worker ended:\n{self.output()}"
            assert time.monotonic() < deadline, f"nothing happened in {seconds} s:\n{self.output()}"
            time.sleep(0.02)


@contextmanager
def running_worker(
    project: BakedProject,
    log: Path,
    *options: str,
    concurrency: int = 1,
    command: str = "worker",
    cwd: str | Path = "/",
    **environment: str,
) -> Iterator[Worker]:
    """Start `celery -A SLUG worker` in a folder that is not the project's; end it and its children with SIGKILL."""
    arguments = ["-m", "celery", "-A", project.slug, command, "--loglevel", "INFO", *options]
    if command == "worker":
        # RabbitMQ turns away a second worker of the same name.
        arguments += ["--hostname", f"{log.stem}@%h", "--concurrency", str(concurrency)]
        arguments += ["--without-gossip", "--without-mingle"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(project.python), *arguments],
            cwd=cwd,
            env=clean_environment(**{"CELERY_HEALTH_FOLDER": str(log.parent / "health"), **environment}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        worker = Worker(process, log)
        worker.wait_for(lambda: (" ready." if command == "worker" else "beat: Starting") in worker.output())
        yield worker
    finally:
        with suppress(ProcessLookupError):  # it has ended, and its children with it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
