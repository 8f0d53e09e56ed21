"""Innocent tasks that are published one after another, and what they have noted."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.baking import BakedProject

from . import tasks

LONGEST_TASK = 1.0  # seconds
VISIBILITY_TIMEOUT = 12  # seconds, on Redis
# It may take more than five seconds until a worker that reconnects notices that a process was killed.
LIMITS = {"CELERY_TASK_TIME_LIMIT": "11", "CELERY_TASK_SOFT_TIME_LIMIT": "10"}

SETTINGS = f"""
# A killed worker's tasks are to run again soon.
broker_transport_options = {{"visibility_timeout": {VISIBILITY_TIMEOUT}}}
"""


def prepare(project: BakedProject) -> None:
    """Make these its only tasks, of a project that is the test's own, and shorten its waits."""
    for example in project.tasks.glob("ex*.py"):
        example.unlink()
    (project.tasks / tasks.FILE).write_text(tasks.SOURCE)
    with (project.package / "settings.py").open("a") as settings:
        settings.write(SETTINGS)


def environment(broker: str, results: str, folder: Path) -> dict[str, str]:
    """Return the environment of the workers and of whoever publishes, by the URLs of the servers."""
    urls = {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": results}
    return {**urls, **LIMITS, "NOTES": str(folder / "notes"), "APP_ENV": "test"}


@dataclass
class Load:
    """The tasks of one run. `folder` has what they note, and the ids that were published."""

    folder: Path
    publisher: "subprocess.Popen[bytes]"

    def is_published(self) -> bool:
        return self.publisher.poll() is not None

    def ids(self) -> list[str]:
        return (self.folder / "published").read_text().split()

    def noted(self, what: str) -> "Counter[str]":
        """Return how often each id was begun, or done."""
        lines = [line.split() for line in (self.folder / "notes").read_text().splitlines()]
        return Counter(line[1] for line in lines if len(line) == 2 and line[0] == what)

    def unfinished(self) -> list[str]:
        return sorted(set(self.ids()) - set(self.noted("done")))


@contextmanager
def published(
    project: BakedProject, folder: Path, number: int, seed: int, processes: int, **environment: str
) -> Iterator[Load]:
    """Publish so many tasks of random lengths, as fast as so many processes can follow."""
    for file in ("notes", "published"):
        (folder / file).touch()
    pause = LONGEST_TASK / 2 / processes * 0.9
    arguments = (number, seed, pause, LONGEST_TASK, folder / "published")
    publisher = subprocess.Popen(
        [str(project.python), "-c", tasks.PUBLISHER, *map(str, arguments)],
        cwd=project.path,
        env=project.environment(**environment),
    )
    try:
        yield Load(folder, publisher)
    finally:
        publisher.kill()
        publisher.wait()
