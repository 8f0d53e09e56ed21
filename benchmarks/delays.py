"""How much delayed tasks cost the tasks that are due, and how late each delayed task runs.

MANY=1000000 adds that many tasks that are due in a day, and says how long it took, and what a worker has of memory.
SERVERS=trixie takes the servers of Debian 13 instead of those of this machine.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from celery_runtime.testing.worker import WorkerProcess
from scripts.baking import BakedProject
from scripts.rabbitmq_node import rabbitmq_node
from scripts.redis_server import redis_server
from tests.workers import running_worker

from .project import installed_project
from .table import print_table

DELAYED, DUE, DAY = 1000, 200, 24 * 60 * 60
WATCHED = 30.0  # seconds: of the delayed, those that are due within it are waited for
TASK_FILE = """
import os
import time
from pathlib import Path

from ..celery_config import app

@app.task(queue="tasks", ignore_result=True)
def note(number, due):
    time.sleep(0.01)
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(f"{number} {time.time() - due}\\n")
"""
# Countdowns from a second to a day, each longer than the last by the same factor.
PUBLISH_DELAYED = f"""
import json, sys, time
from shop.celery_tasks.ex90_note import note

for number in range({DELAYED}):
    countdown = {DAY} ** (number / {DELAYED - 1})
    note.apply_async((number, time.time() + countdown), countdown=countdown, priority=number % 10)
"""
PUBLISH_DUE = f"""
import time
from shop.celery_tasks.ex90_note import note

for number in range({DUE}):
    note.delay(-1, time.time())
"""
# Without a confirm for each, which would be most of the time on RabbitMQ.
PUBLISH_MANY = """
import json, sys, time
from shop import app
from shop.celery_tasks.ex90_note import note

number, start = int(sys.argv[1]), time.perf_counter()
with app.connection_for_write(transport_options={**app.conf.broker_transport_options, "confirm_publish": False}) as one:
    with app.amqp.Producer(one) as producer:
        for _ in range(number):
            note.apply_async((-2, 0), countdown=86400, producer=producer)
print(json.dumps(time.perf_counter() - start))
"""


def main() -> None:
    many = int(os.environ.get("MANY", "0"))
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as scratch:
        project = installed_project(Path(scratch), "plain")
        (project.tasks / "ex90_note.py").write_text(TASK_FILE)
        rows = [("", "alone", "beside", "ratio", "ran", "in WATCHED", "late, median", "worst", "delayed", "")]
        cost = [("", "published", "MiB before", "MiB with them", "late, median", "worst", "")]
        for name, server in (("Redis", redis_server), ("RabbitMQ", rabbitmq_node)):
            for concurrency in (1, 4):
                with server() as one:
                    rows.append((f"{name}, -c {concurrency}", *_beside(project, one.url, concurrency)))
            if many:
                with server() as one:
                    cost.append((name, *_many(project, one.url, many)))
    print_table(f"{DUE} tasks that are due, alone and beside {DELAYED} with countdowns up to a day", rows)
    if many:
        print_table(f"{many:,} tasks that are due in a day", cost)


def _beside(project: BakedProject, url: str, concurrency: int) -> tuple[str, ...]:
    with _worker(project, url, concurrency) as (worker, notes, variables):
        alone = _run_due(project, worker, notes, variables)
        project.run(project.python, "-c", PUBLISH_DELAYED, check=True, **variables)
        beside = _run_due(project, worker, notes, variables)
        time.sleep(WATCHED)
        ran = [(int(number), float(late)) for number, late in map(str.split, notes.read_text().splitlines())]
        delayed = [(number, late) for number, late in ran if number >= 0]
        assert len({number for number, _ in delayed}) == len(delayed), "a task has run twice"
        left = json.loads(project.celery("queues", "--json", check=True, **variables).stdout)["delayed"]
    late = [late for _, late in delayed]
    assert min(late) >= 0, "a task has run before its time"
    numbers = f"{alone:.2f} s", f"{beside:.2f} s", f"{beside / alone:.2f}", f"{len(delayed)}", f"{WATCHED:g} s"
    return *numbers, f"{statistics.median(late):.3f} s", f"{max(late):.3f} s", str(left), ""


def _many(project: BakedProject, url: str, many: int) -> tuple[str, ...]:
    with _worker(project, url, 1) as (worker, notes, variables):
        _run_due(project, worker, notes, variables)
        before = _memory(worker)
        published = float(project.run(project.python, "-c", PUBLISH_MANY, str(many), check=True, **variables).stdout)
        notes.unlink()
        project.run(project.python, "-c", PUBLISH_DELAYED, check=True, **variables)
        time.sleep(WATCHED)
        late = [float(line.split()[1]) for line in notes.read_text().splitlines()]
        after = _memory(worker)
    numbers = f"{published:.0f} s", f"{before:.0f}", f"{after:.0f}"
    return *numbers, f"{statistics.median(late):.3f} s", f"{max(late):.3f} s", ""


@contextmanager
def _worker(project: BakedProject, url: str, concurrency: int) -> Iterator[tuple[WorkerProcess, Path, dict[str, str]]]:
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        variables = {
            "CELERY_BROKER_URL": url,
            "CELERY_RESULT_BACKEND": "disabled://",
            "APP_ENV": "test",
            "NOTES": str(notes),
        }
        with running_worker(project, Path(folder) / "log", concurrency=concurrency, **variables) as worker:
            yield worker, notes, variables


def _run_due(project: BakedProject, worker: WorkerProcess, notes: Path, variables: dict[str, str]) -> float:
    """Return the seconds in which the tasks run that are due, with their publishing."""

    def count() -> int:
        return notes.read_text().count("-1 ") if notes.exists() else 0

    before, start = count(), time.perf_counter()
    project.run(project.python, "-c", PUBLISH_DUE, check=True, **variables)
    worker.wait_for(lambda: count() == before + DUE, timeout=120)
    return time.perf_counter() - start


def _memory(worker: WorkerProcess) -> float:
    """Return the MiB that the main process of the worker has."""
    return float(psutil.Process(worker.process.pid).memory_info().rss / 2**20)


if __name__ == "__main__":
    main()
