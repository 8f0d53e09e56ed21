"""How soon the tasks of a killed worker are done, what the probe takes, and what a delayed task pays for the guard."""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.baking import BakedProject
from scripts.rabbitmq import virtual_host
from scripts.redis_server import redis_server
from tests.chaos import load
from tests.chaos.fleet import Fleet

from .project import installed_project
from .table import print_table, verdict

BROKERS = ("Redis", "RabbitMQ")
RUNS = 5
TASK = 1.0  # seconds
WORKERS, PROCESSES = 2, 2
GOAL_BEYOND_VISIBILITY = 10.0  # seconds
GOAL_PROBE = 0.050  # seconds
NOTED = 500  # tasks
PUBLISH = f"""
from shop.celery_tasks.ex90_chaos import innocent
for _ in range({WORKERS * PROCESSES}): innocent.delay({TASK})
"""
NOTE = f"""
import json, time
from shop import app
from celery_runtime.brokers import broker_of
broker = broker_of(app)
broker.count_crashes("warm")
start = time.perf_counter()
for number in range({NOTED}):
    id = str(number)
    broker.count_crashes(id); broker.note_run(id); broker.forget_runs(id)
print(json.dumps((time.perf_counter() - start) / {NOTED}))
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as scratch:
        project = installed_project(Path(scratch), "plain")
        load.prepare(project)
        _show_recoveries({name: [_recovery(project, name) for _ in range(RUNS)] for name in BROKERS})
        _show_probe(*_probes(project))
        _show_guard({name: _noting(project, name) for name in BROKERS})


@contextmanager
def _servers(broker: str) -> Iterator[tuple[str, str]]:
    """Lend the URLs of an empty broker and of a Redis for the results: what a killed worker held comes back late."""
    with redis_server() as redis:
        if broker == "Redis":
            yield redis.url, redis.url
        else:
            with virtual_host() as rabbitmq:
                yield rabbitmq, redis.url


@contextmanager
def _fleet(project: BakedProject, broker: str) -> Iterator[tuple[Fleet, Path, dict[str, str]]]:
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as name, _servers(broker) as urls:
        folder = Path(name)
        (folder / "notes").touch()
        variables = load.environment(*urls, folder)
        with Fleet(project, WORKERS, PROCESSES, folder, **variables) as fleet:
            fleet.tend_until(lambda: fleet.output().count(" ready.") == WORKERS, 30)
            yield fleet, folder / "notes", variables


def _recovery(project: BakedProject, broker: str) -> float:
    """Return the seconds from the SIGKILL of one of two busy workers to the end of the last task."""
    with _fleet(project, broker) as (fleet, notes, variables):
        project.run(project.python, "-c", PUBLISH, check=True, **variables)
        fleet.tend_until(lambda: notes.read_text().count("begun") == WORKERS * PROCESSES, 30)
        fleet.workers[0].process.kill()
        start = time.monotonic()
        fleet.tend_until(lambda: notes.read_text().count("done") == WORKERS * PROCESSES, 120)
        return time.monotonic() - start


def _probes(project: BakedProject) -> tuple[list[float], list[float]]:
    """Return the seconds that each run of the probe takes, and each of Celery's ping."""
    with _fleet(project, BROKERS[0]) as (fleet, _, _variables):
        probe = [str(project.python), "-I", "-S", str(project.path / "celery_runtime/health.py"), "ready"]
        ping = [str(project.python), "-m", "celery", "-A", project.slug, "inspect", "ping"]
        runs: tuple[list[float], list[float]] = ([], [])
        for _ in range(RUNS):
            for command, found in zip((probe, ping), runs, strict=True):
                start = time.perf_counter()
                subprocess.run(command, env=fleet.environment, cwd=project.path, check=True, capture_output=True)
                found.append(time.perf_counter() - start)
        return runs


def _noting(project: BakedProject, broker: str) -> list[float]:
    with _servers(broker) as (url, results):
        variables = {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": results, "APP_ENV": "test"}
        return [
            json.loads(project.run(project.python, "-c", NOTE, check=True, **variables).stdout) for _ in range(RUNS)
        ]


def _show_recoveries(recoveries: dict[str, list[float]]) -> None:
    rows = [("broker", "median", "longest", "over the ideal", "")]
    for name, seconds in recoveries.items():
        # An idle worker that knew at once would need as long as the task.
        over = statistics.median(seconds) / TASK
        remark = ""
        if name == "Redis":
            limit = load.VISIBILITY_TIMEOUT + GOAL_BEYOND_VISIBILITY
            remark = verdict(f"visibility timeout, {load.VISIBILITY_TIMEOUT} s, + 10 s", limit, seconds)
        rows.append((name, f"{statistics.median(seconds):.1f} s", f"{max(seconds):.1f} s", f"{over:.1f}", remark))
    print_table(f"From the SIGKILL of a worker to its last task of {TASK:g} s done", rows)


def _show_probe(probe: list[float], ping: list[float]) -> None:
    ratio = statistics.median(probe) / statistics.median(ping)
    remark = verdict("50 ms", GOAL_PROBE, probe)
    rows = [
        ("probe", "median", "over celery inspect ping", ""),
        ("health.py ready", f"{statistics.median(probe) * 1000:.0f} ms", f"{ratio:.3f}", remark),
        ("celery inspect ping", f"{statistics.median(ping) * 1000:.0f} ms", "1", ""),
    ]
    print_table("The probe of a worker", rows)


def _show_guard(seconds: dict[str, list[float]]) -> None:
    rows = [("broker", "each", "")]
    rows += [(name, f"{statistics.median(runs) * 1000:.1f} ms", "") for name, runs in seconds.items()]
    print_table("What a redelivered task pays for the guard, in the main process", rows)


if __name__ == "__main__":
    main()
