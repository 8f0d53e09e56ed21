"""A process of a baked project that does with its dead letters what it is told, and can be killed while it does."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.baking import BakedProject, clean_environment

CALLS = Path(__file__).parent / "dead_letters/store_calls.py"


class StoreError(Exception):
    """The store raised it, or `StoreBusy`; `name` tells which."""

    def __init__(self, name: str, told: str) -> None:
        super().__init__(f"{name}: {told}")
        self.name = name


class StoreProcess:
    """Calls functions of `store_calls.py`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def call(self, name: str, **arguments: Any) -> Any:
        self.begin(name, **arguments)
        return self.result()

    def begin(self, name: str, **arguments: Any) -> None:
        self.say(json.dumps([name, arguments]))

    def say(self, line: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def result(self) -> Any:
        """Wait for the result of what was begun.

        Raises:
            StoreError: the store raised one.
        """
        while "progress" in (answer := self._answer()):
            pass
        if "error" in answer:
            raise StoreError(answer["error"], answer["told"])
        return answer["result"]

    def await_progress(self, number: int = 1) -> None:
        """Wait until so many entries were dealt with."""
        for _ in range(number):
            answer = self._answer()
            assert "progress" in answer, answer

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the process has ended with {self.process.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def store_process(project: BakedProject, broker_url: str) -> Iterator[StoreProcess]:
    """Start one, and end it by SIGKILL. It answers `ready` when it has imported the project."""
    # No result is stored: a test has a broker, and no other server.
    urls = {"CELERY_BROKER_URL": broker_url, "CELERY_RESULT_BACKEND": "disabled://", "APP_ENV": "test"}
    with subprocess.Popen(
        [str(project.python), str(CALLS)],
        cwd=project.path,
        env=clean_environment(**urls, PYTHONPATH=str(project.path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        running = StoreProcess(process)
        try:
            yield running
        finally:
            running.kill()
