"""What it takes to look at 100,000 dead letters on each broker, next to 1,000; and what it takes to keep one."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from scripts.baking import TEMPLATE, BakedProject, clean_environment
from scripts.rabbitmq import virtual_host
from scripts.redis_server import redis_server

from . import dead_letters_table
from .project import installed_project
from .side_by_side import interleave

FEW, MANY = 1000, 100_000
RUNS = 2  # of half a minute each
ADDED = 200
AT_ONCE = 8


class Probe:
    """A process of the project, see `dead_letters_probe`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def call(self, *words: object) -> Any:
        self.begin(*words)
        return self.result()

    def begin(self, *words: object) -> None:
        assert self.process.stdin is not None
        print(*words, file=self.process.stdin, flush=True)

    def result(self) -> Any:
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            return json.loads(line)
        raise RuntimeError(f"the probe has ended with {self.process.wait()}")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as scratch:
        project = installed_project(Path(scratch), "plain")
        with redis_server() as redis:
            dead_letters_table.show("Redis", *_reading(project, redis.url, redis.url))
            dead_letters_table.show_adds("Redis", *_adding(project, redis.url))
        with virtual_host() as few, virtual_host() as many:
            dead_letters_table.show("RabbitMQ", *_reading(project, few, many))
            dead_letters_table.show_adds("RabbitMQ", *_adding(project, few))


def _reading(project: BakedProject, few: str, many: str) -> tuple[dict[int, list[dict[str, float]]], float | None]:
    """Return the seconds by number of entries, and the bytes of memory that each takes, None where it cannot be told."""
    urls = {FEW: few, MANY: many}
    is_redis = few == many
    with ExitStack() as stack:
        probes = {}
        for database, (number, url) in enumerate(urls.items()):
            url = url.replace("virtual_host=0", f"virtual_host={database}")
            probes[number] = stack.enter_context(_probe(project, url))
        probes[FEW].call("fill", FEW)
        before = probes[MANY].call("memory") if is_redis else 0
        probes[MANY].call("fill", MANY)
        used = probes[MANY].call("memory") if is_redis else _memory(many)
        cases = {number: lambda probe=probe: probe.call("measure") for number, probe in probes.items()}
        return interleave(cases, RUNS), (used - before) / MANY if used is not None else None


def _adding(project: BakedProject, url: str) -> tuple[list[float], list[float]]:
    """Return the seconds of each `add`: one process alone, and so many at once."""
    with ExitStack() as stack:
        probes = [stack.enter_context(_probe(project, url)) for _ in range(AT_ONCE)]
        for probe in probes:
            probe.call("add", 10)  # connects
        alone = probes[0].call("add", ADDED)
        for probe in probes:
            probe.begin("add", ADDED)
        at_once = [seconds for probe in probes for seconds in probe.result()]
    return alone, at_once


def _memory(url: str) -> int | None:
    """Return the bytes that the one filled queue of a virtual host takes, None where nobody tells."""
    if shutil.which("rabbitmqctl") is None:
        return None
    host = url.rpartition("/")[2]
    command = ["rabbitmqctl", "--quiet", "--vhost", host, "list_queues", "memory", "--no-table-headers"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return max(map(int, done.stdout.split()), default=None) if done.returncode == 0 else None


@contextmanager
def _probe(project: BakedProject, url: str) -> Iterator[Probe]:
    # No result is stored, so that both brokers do the same. -P: the project's own `tests` must not hide
    # those of the template.
    environment = {"APP_ENV": "test", "CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": "disabled://"}
    command = [project.python, "-P", "-m", f"{__package__}.dead_letters_probe", project.slug]
    with subprocess.Popen(
        list(map(str, command)),
        cwd=project.path,
        env=clean_environment(**environment, PYTHONPATH=str(TEMPLATE)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Probe(process)
        finally:
            process.kill()
