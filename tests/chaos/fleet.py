"""Workers, each of which is started again when it has ended."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from celery_runtime.testing.worker import WorkerProcess
from scripts.baking import BakedProject
from tests.workers import running_worker


class Fleet:
    """So many workers with so many processes each. Their logs are in the folder."""

    def __init__(self, project: BakedProject, workers: int, processes: int, folder: Path, **environment: str) -> None:
        self.project = project
        self.number = workers
        self.processes = processes
        self.folder = folder
        self.environment = environment
        self.workers: list[WorkerProcess] = []
        self.started = 0
        self.exit_codes: list[int] = []

    def __enter__(self) -> Self:
        self.restart_ended()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.stop()

    def restart_ended(self) -> None:
        for worker in [worker for worker in self.workers if worker.process.poll() is not None]:
            self.workers.remove(worker)
            self.exit_codes.append(worker.process.returncode)
        while len(self.workers) < self.number:
            self.workers.append(self._start())

    def tend(self, seconds: float) -> None:
        """Start again what ends, for so long."""
        end = time.monotonic() + seconds
        while True:
            self.restart_ended()
            if (left := end - time.monotonic()) <= 0:
                return
            time.sleep(min(left, 0.1))

    def tend_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Start again what ends until the condition holds; fail with the logs when it does not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"nothing happened in {seconds} s:\n{self.output()}"
            self.tend(0.1)

    def stop_oldest(self, seconds: float) -> None:
        """Stop a worker gently, and start another; where it does not end in time, fail with its threads in its log."""
        worker = self.workers[0].process
        worker.terminate()
        try:
            worker.wait(seconds)
        except subprocess.TimeoutExpired:
            worker.send_signal(signal.SIGUSR1)  # Celery logs the stack of each thread
            time.sleep(1)
            raise AssertionError(f"the worker did not end within {seconds} s:\n{self.output()}") from None
        self.restart_ended()

    def output(self) -> str:
        return "".join(log.read_text() for log in sorted(self.folder.glob("worker-*.log")))

    def _start(self) -> WorkerProcess:
        self.started += 1
        worker = running_worker(
            self.project,
            self.folder / f"worker-{self.started}.log",
            concurrency=self.processes,
            **self.environment,
        )
        worker.launch()
        return worker
