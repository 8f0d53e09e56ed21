"""Two workers, one of which runs only some modules, share a queue on both brokers: nothing is lost."""

import json
import time

import pytest

from .workers import running_worker

pytestmark = pytest.mark.baked

TASK_FILE = """import os
from pathlib import Path

from ..celery_config import app


@app.task(queue="tasks", ignore_result=True)
def note(number):
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(f"{__name__.rpartition('.')[2]} {number}\\n")
"""
MODULES = ("ex1_first", "ex10_tenth", "ex2_second", "ex-hyphen")
EACH = 25
PUBLISH = f"""
from shop import app
for number in range({EACH}):
    for module in {MODULES}:
        app.send_task(f"shop.celery_tasks.{{module}}.note", (number,))
"""
ALL = sorted(f"{module} {number}" for module in MODULES for number in range(EACH))


@pytest.fixture
def project(bake_own):
    project = bake_own(framework="plain")
    for module in MODULES:
        (project.tasks / f"{module}.py").write_text(TASK_FILE)
    return project


def test_every_task_of_every_module_runs(project, broker_url, redis_url, tmp_path):
    notes = tmp_path / "notes"
    urls = {"CELERY_BROKER_URL": broker_url, "CELERY_RESULT_BACKEND": redis_url, "NOTES": str(notes)}
    project.run(project.python, "-c", PUBLISH, check=True, **urls)
    with (
        running_worker(project, tmp_path / "some", "--tasks", "ex1_*,ex10*", **urls) as some,
        running_worker(project, tmp_path / "all", **urls) as every,
    ):
        every.wait_for(lambda: notes.exists() and len(notes.read_text().splitlines()) >= len(ALL))
        depths = json.loads(project.celery("queues", "--json", check=True, **urls).stdout)
    assert depths["delayed"] == 0
    assert sorted(notes.read_text().splitlines()) == ALL
    assert [depth["total"] for depth in depths["queues"]] == [0]
    assert "is not selected in this worker" in some.output()
    for worker in (some, every):
        assert "unregistered" not in worker.output()
        assert "Traceback" not in worker.output()


def test_what_a_worker_holds_back_returns_when_it_is_stopped(project, broker_url, redis_url, tmp_path):
    urls = {
        "CELERY_BROKER_URL": broker_url,
        "CELERY_RESULT_BACKEND": redis_url,
        "NOTES": str(tmp_path / "notes"),
    }
    publish = "from shop import app\nfor n in range(5): app.send_task('shop.celery_tasks.ex2_second.note', (n,))"
    project.run(project.python, "-c", publish, check=True, **urls)
    with running_worker(project, tmp_path / "log", "--tasks", "ex1*", **urls) as worker:
        worker.wait_for(lambda: "is not selected" in worker.output())
        worker.process.terminate()
        assert worker.process.wait(timeout=30) == 0
        time.sleep(2)  # until they are due
        [depth] = json.loads(project.celery("queues", "--json", check=True, **urls).stdout)["queues"]
    assert depth["total"] == 5
