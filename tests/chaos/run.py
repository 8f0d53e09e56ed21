"""One run: tasks are published, disasters happen meanwhile, and every task is accounted for."""

import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from scripts.baking import BakedProject
from scripts.rabbitmq_node import RabbitMQNode
from scripts.redis_server import RedisServer

from .disasters import PROCESSES, disasters
from .fleet import Fleet
from .load import environment, published

WORKERS = 3
PAUSE = (0.5, 2.0)  # seconds between two disasters
SETTLE = 60.0  # seconds in which, after the last disaster, another task must be done


@dataclass
class Account:
    """What became of the tasks of one run.

    Attributes:
        lost: ids that were published and never done.
        doubled: how many were done more than once.
        begun: how many runs were begun.
        dead: the dead letters, of which innocent tasks have none.
        happened: how often each kind of disaster.
        exit_codes: of the workers that ended, by how many.
    """

    published: int
    lost: list[str]
    doubled: int
    begun: int
    dead: list[dict[str, object]]
    happened: "Counter[str]"
    exit_codes: "Counter[int]"
    seconds: float

    @property
    def is_right(self) -> bool:
        return self.published > 0 and not self.lost and not self.dead

    def __str__(self) -> str:
        what = ", ".join(f"{name}: {number}" for name, number in sorted(self.happened.items()))
        return (
            f"{self.published} tasks in {self.seconds:.0f} s; {what}.\n"
            f"{len(self.lost)} lost, {self.doubled} done twice or more, {self.begun} runs begun, "
            f"{len(self.dead)} dead letters; exit codes of the workers: {dict(self.exit_codes)}"
        )


def run(
    project: BakedProject,
    server: RedisServer | RabbitMQNode,
    results: str,
    folder: Path,
    number: int,
    seed: int,
) -> Account:
    """Publish so many tasks while disasters happen.

    Args:
        project: one that was prepared.
        server: the broker, which is restarted.
        results: the URL of the result backend.
    """
    chance = random.Random(seed)
    variables = environment(server.url, results, folder)
    start = time.monotonic()
    happened: Counter[str] = Counter()
    with (
        Fleet(project, WORKERS, PROCESSES, folder, **variables) as fleet,
        published(project, folder, number, seed, WORKERS * PROCESSES, **variables) as load,
    ):
        while not load.is_published():
            for name, happen in disasters(fleet, server, chance):
                fleet.tend(chance.uniform(*PAUSE))
                happen()
                happened[name] += 1
        left, deadline = len(load.unfinished()), time.monotonic() + SETTLE
        while left and time.monotonic() < deadline:
            fleet.tend(0.2)
            if (now_left := len(load.unfinished())) < left:
                left, deadline = now_left, time.monotonic() + SETTLE
        seconds = time.monotonic() - start
        listed = project.celery("dead-letters", "list", "--json", "--limit", "100", check=True, **variables)
        return Account(
            published=len(load.ids()),
            lost=load.unfinished(),
            doubled=sum(times > 1 for times in load.noted("done").values()),
            begun=load.noted("begun").total(),
            dead=json.loads(listed.stdout),
            happened=happened,
            exit_codes=Counter(fleet.exit_codes),
            seconds=seconds,
        )
