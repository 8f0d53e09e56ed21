"""No message breaks a worker: each malformed one is a dead letter, and every other task runs, on both brokers."""

import json
import os

import pytest

from celery_runtime.testing.worker import WorkerProcess
from scripts.baking import BakedProject
from scripts.fuzz import command, environment

from .malformed import tasks
from .workers import running_worker

pytestmark = pytest.mark.baked

EACH = 20
RANDOM_MESSAGES = 500
CALAMITIES = (
    *("Connection to broker lost", "Unrecoverable error", "would have ended the worker", "Logging error"),
    *("Could not restore message", "Error in timer", "could not be reported"),
)


@pytest.fixture
def project(bake_own) -> BakedProject:
    project = bake_own(framework="plain")
    (project.tasks / tasks.FILE).write_text(tasks.SOURCE)
    return project


@pytest.fixture
def urls(broker_url, redis_url, tmp_path) -> dict[str, str]:
    return {
        "CELERY_BROKER_URL": broker_url,
        "CELERY_RESULT_BACKEND": redis_url,
        "NOTES": str(tmp_path / "notes"),
    }


def assert_unbroken(worker: WorkerProcess) -> None:
    assert worker.process.poll() is None, worker.output()
    for calamity in CALAMITIES:
        assert calamity not in worker.output()


def test_each_malformed_message_becomes_one_dead_letter(project, urls, tmp_path):
    with running_worker(project, tmp_path / "log", **urls) as worker:
        sent = project.run(*command(project, "kinds", "--each", str(EACH)), **environment(project, **urls))
        assert sent.stdout.startswith("["), sent.stderr + worker.output()
        rows = json.loads(sent.stdout)
        assert [row for row in rows if row["problem"]] == []
        assert len(rows) > 90
        assert_unbroken(worker)
    assert worker.output().count(" ready.") == 1


def test_random_messages_are_done_or_dead(project, urls, tmp_path):
    seed = int(os.environ.get("FUZZ_SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"FUZZ_SEED={seed} repeats it")
    log = tmp_path / "log"
    with running_worker(project, log, **urls) as worker:
        arguments = ("fuzz", "--number", str(RANDOM_MESSAGES), "--seed", str(seed), "--log", str(log))
        sent = project.run(*command(project, *arguments), **environment(project, **urls))
        assert sent.stdout.startswith("{"), sent.stderr + worker.output()
        report = json.loads(sent.stdout)
        assert report["lost"] == 0, report
        assert report["answers"]
        assert_unbroken(worker)
