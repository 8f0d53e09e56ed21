"""Each way to fail, the kind that its dead letter must have, and what a worker made of it."""

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from scripts.baking import BakedProject
from tests.workers import running_worker

HERE = Path(__file__).parent

# By name: the kind of its dead letter and the number of runs. None: no dead letter but a line in the log.
EXPECTED: dict[str, tuple[str, int] | None] = {
    "exception": ("application.out_of_stock", 1),
    "policy_exhausted": ("network.unavailable", 3),
    "retries_exhausted": ("unexpected", 3),
    "soft_time_limit": ("time_limit.soft", 1),
    "hard_time_limit": ("time_limit.hard", 1),
    "bad_arguments": ("unexpected", 1),
    "bad_result": ("unexpected", 1),
    "killed": ("worker.lost", 2),
    "system_exit": ("worker.lost", 2),
    "rejected": ("application.rejected", 1),
    "memory_error": ("worker.memory", 2),
    "unknown_task": ("message.unknown_task", 0),
    "refused_content": ("message.refused_content", 0),
    "unknown_content_type": ("message.refused_content", 0),
    "no_celery_message": ("message.malformed", 0),
    "undecodable_body": ("message.undecodable", 0),
    "malformed_header": ("message.malformed", 0),
    "malformed_body": ("message.malformed", 0),
    "expired": None,
    "revoked": None,
    "ignored": None,
}
SETTLE = 3.0  # seconds in which a second entry of the same failure would appear
DEADLINE = 60.0  # seconds


class Row(NamedTuple):
    """What became of one way to fail: the dead letters of its id, and whether the log tells why there is none."""

    failure: str
    broker: str
    kinds: tuple[str, ...]
    runs: int | None
    in_log: bool

    @property
    def is_right(self) -> bool:
        expected = EXPECTED[self.failure]
        if expected is None:
            return not self.kinds and self.in_log
        return (self.kinds, self.runs) == ((expected[0],), expected[1])


def rows(project: BakedProject, broker: str, log: Path, **environment: str) -> list[Row]:
    """Cause every failure in a worker of the project, which must outlive them all."""
    shutil.copy(HERE / "failing_tasks.py", project.tasks / "ex70_failing_tasks.py")
    with running_worker(project, log, concurrency=2, **environment) as worker:
        published = project.run(project.python, HERE / "publish.py", check=True, **environment).stdout
        ids: dict[str, str | None] = json.loads(published)
        del ids["healthy"]
        number = sum(expected is not None for expected in EXPECTED.values())
        deadline = time.monotonic() + DEADLINE
        while len(entries := dead_letters(project, **environment)) < number and time.monotonic() < deadline:
            time.sleep(0.5)
        time.sleep(SETTLE)
        entries = dead_letters(project, **environment)
        assert worker.process.poll() is None, worker.output()
        assert worker.output().count(" ready.") == 1, "the worker has restarted"
        return [row_of(name, broker, id_, entries, worker.output()) for name, id_ in ids.items()]


def dead_letters(project: BakedProject, **environment: str) -> list[dict]:
    return json.loads(project.celery("dead-letters", "list", "--json", check=True, **environment).stdout)


def row_of(name: str, broker: str, id_: str | None, entries: Iterable[dict], log: str) -> Row:
    if id_ is None:
        # Without an id the entry is told by what is wrong with the message.
        told = {"malformed_header": "its id", "no_celery_message": "it names no task"}[name]
        own = [entry for entry in entries if told in entry["message"]]
    else:
        own = [entry for entry in entries if entry["id"] == id_]
    in_log = any("no dead letter for" in line and str(id_) in line for line in log.splitlines())
    runs = own[0]["attempts"] if own else None
    return Row(name, broker, tuple(entry["kind"] for entry in own), runs, in_log)
