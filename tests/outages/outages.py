"""Each outage, caused for real, with what is seen of it."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from scripts.baking import BakedProject
from scripts.rabbitmq_node import RabbitMQNode
from scripts.redis_server import RedisServer
from scripts.unavailable import Unavailable
from tests.chaos import tasks
from tests.chaos.fleet import Fleet

AWAY = 30.0  # seconds
# Shorter than that: what ran has long ended then, and is no task that came to its limit.
LIMITS = {"CELERY_TASK_TIME_LIMIT": "20", "CELERY_TASK_SOFT_TIME_LIMIT": "15"}
HARD_LIMIT = 14  # for a task that has no soft one
SOON = 60.0  # seconds in which a worker has done all after its broker is back
DISK = "3m"
MODULE = "shop.celery_tasks.ex90_chaos"


class Row(NamedTuple):
    """What was seen of one outage, in the order in which it was; and whether all ended well."""

    outage: str
    broker: str
    seen: list[str]
    is_right: bool


class Scene(NamedTuple):
    """A project with the task of `tests.chaos`, its servers and a folder for what is noted."""

    project: BakedProject
    server: RedisServer | RabbitMQNode
    results: str
    folder: Path

    @property
    def broker(self) -> str:
        return "redis" if isinstance(self.server, RedisServer) else "rabbitmq"

    @property
    def environment(self) -> dict[str, str]:
        urls = {"CELERY_BROKER_URL": self.server.url, "CELERY_RESULT_BACKEND": self.results}
        return {**urls, **LIMITS, "NOTES": str(self.folder / "notes"), "APP_ENV": "test"}

    @contextmanager
    def worker(self) -> Iterator[Fleet]:
        (self.folder / "notes").write_text("")
        for log in self.folder.glob("worker-*.log"):
            log.unlink()
        with Fleet(self.project, 1, 2, self.folder, **self.environment) as fleet:
            yield fleet

    def publish(self, *seconds: float, **options: float) -> str:
        """Publish a task for each of these lengths; return the error of the first that fails, and when it did."""
        code = (
            "from celery_runtime.testing.clock import waited\n"
            f"from {MODULE} import innocent; start = waited()\n"
            f"try:\n    for seconds in {seconds}: innocent.apply_async((seconds,), **{options})\n"
            "except Exception as error:\n"
            "    print(f'{type(error).__name__}: {error} (after {abs(waited() - start):.0f} s)')"
        )
        return self.project.run(self.project.python, "-c", code, check=True, **self.environment).stdout.strip()

    def noted(self, what: str) -> int:
        return (self.folder / "notes").read_text().count(f"{what} ")

    def finished(self) -> int:
        """Return how many tasks are done, of which some may have been done twice."""
        lines = (self.folder / "notes").read_text().splitlines()
        return len({line for line in lines if line.startswith("done ")})

    def has_dead_letters(self) -> bool:
        listed = self.project.celery("dead-letters", "list", "--json", check=True, **self.environment)
        return bool(json.loads(listed.stdout))


def told(fleet: Fleet, *words: str) -> list[str]:
    """Return the lines of the log with one of these words, without their fields."""
    lines = [json.loads(line) for line in fleet.output().splitlines() if line.startswith("{")]
    found = [line for line in lines if any(word in line["event"] for word in words)]
    return [re.sub(r"\s+", " ", f"{line['level']}: {line['event']}") for line in found]


FLUSH = """
from shop import app
with app.connection_for_write() as connection:
    print(connection.default_channel.client.delete("unacked", "unacked_index"))
"""
ABOUT_THE_BROKER = ("broker", "consumer:", "cannot be acknowledged")


def worker_starts_before_its_broker(scene: Scene) -> Row:
    scene.server.stop()
    with scene.worker() as fleet:
        fleet.tend_until(lambda: "waits for its broker" in fleet.output(), SOON)
        time.sleep(5)
        scene.server.start()
        fleet.tend_until(lambda: " ready." in fleet.output(), SOON)
        scene.publish(0.1)
        fleet.tend_until(lambda: scene.noted("done") == 1, SOON)
        seen = told(fleet, *ABOUT_THE_BROKER)
        is_right = fleet.started == 1 and fleet.output().count("waits for its broker") == 1
    return Row("the worker starts before its broker", scene.broker, seen, is_right)


def broker_is_away_when_a_task_is_published(scene: Scene) -> Row:
    scene.server.stop()
    error = scene.publish(0.1)
    seconds = re.search(r"\(after (\d+) s\)", error)
    is_right = "OperationalError" in error and seconds is not None and int(seconds[1]) < 5
    scene.server.start()
    return Row("a task is published while the broker is away", scene.broker, [error], is_right)


def broker_goes_away_for_long(scene: Scene) -> Row:
    short = [0.1] * 10
    with scene.worker() as fleet:
        fleet.tend_until(lambda: " ready." in fleet.output(), SOON)
        scene.publish(3.0)
        scene.publish(3.0, time_limit=HARD_LIMIT)
        scene.publish(*short)
        fleet.tend_until(lambda: scene.noted("begun") >= 2, SOON)
        scene.server.stop()
        time.sleep(AWAY)
        scene.server.start()
        fleet.tend_until(lambda: scene.finished() == 2 + len(short), SOON)
        fleet.tend(2)
        seen = told(fleet, *ABOUT_THE_BROKER)
        is_right = fleet.started == 1 and fleet.output().count("waits for its broker") == 1
        is_right = is_right and not scene.has_dead_letters()
    return Row(f"the broker goes away for {AWAY:g} s", scene.broker, seen, is_right)


def redis_forgets_what_is_running(scene: Scene) -> Row:
    with scene.worker() as fleet:
        fleet.tend_until(lambda: " ready." in fleet.output(), SOON)
        scene.publish(6.0, 0.1)  # long enough for the next process to start meanwhile
        fleet.tend_until(lambda: scene.noted("begun") >= 1, SOON)
        removed = scene.project.run(scene.project.python, "-c", FLUSH, check=True, **scene.environment).stdout
        fleet.tend_until(lambda: scene.noted("done") == 2, SOON)
        scene.publish(0.1)
        fleet.tend_until(lambda: scene.noted("done") == 3, SOON)
        seen = told(fleet, "ack", *ABOUT_THE_BROKER) or ["nothing: what runs ends, what comes next runs"]
        is_right = removed == "2\n" and scene.noted("begun") == 3 and fleet.started == 1
    return Row("Redis is flushed of its unacked keys", scene.broker, seen, is_right)


def disk_of_the_embedded_broker_is_full(project: BakedProject, folder: Path) -> Row:
    """Fill a small file system of its own.

    Raises:
        Unavailable: this user may not mount one.
    """
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        raise Unavailable(f"no small file system can be mounted: {mounted.stderr.strip()}")
    try:
        code = (Path(__file__).parent / "fill_disk.py").read_text()
        done = project.run(project.python, "-c", code, folder, NOTES=str(folder / "notes"), APP_ENV="test")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    is_right = done.returncode == 0 and "No space left" in done.stdout
    seen = (done.stdout or done.stderr).strip().splitlines()
    return Row("the disk of the embedded broker is full", "embedded", seen, is_right)


OUTAGES: tuple[Callable[[Scene], Row], ...] = (
    worker_starts_before_its_broker,
    broker_is_away_when_a_task_is_published,
    broker_goes_away_for_long,
)
OF_REDIS: tuple[Callable[[Scene], Row], ...] = (redis_forgets_what_is_running,)


def prepare(project: BakedProject) -> None:
    (project.tasks / tasks.FILE).write_text(tasks.SOURCE)
