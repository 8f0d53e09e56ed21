"""Every way to fail, on both brokers, and what becomes of it: seen, mended, run again; also when the store is away."""

import json

import pytest

from .dead_letters.table import EXPECTED, rows
from .workers import running_worker

pytestmark = pytest.mark.baked


@pytest.fixture
def project(bake_own):
    return bake_own(framework="plain")


@pytest.fixture
def environment(broker_url, redis_url):
    return {"CELERY_BROKER_URL": broker_url, "CELERY_RESULT_BACKEND": redis_url, "APP_ENV": "test"}


def test_each_final_failure_is_one_dead_letter(project, environment, tmp_path):
    found = rows(project, "", tmp_path / "log", **environment)
    assert sorted(row.failure for row in found) == sorted(EXPECTED)
    assert [row for row in found if not row.is_right] == []


BROKEN = """
from pathlib import Path

from ..celery_config import app


@app.task(queue="tasks", priority=3)
def ship(order):
    with Path({notes!r}).open("a") as file:
        file.write(f"{{ship.request.id}} {{ship.request.delivery_info['priority']}} {{prices[order]}}\\n")
"""


def test_a_broken_task_is_mended_and_its_dead_letter_runs_again(project, environment, tmp_path):
    notes = tmp_path / "notes"
    task_file = project.tasks / "ex1_ship.py"
    task_file.write_text(BROKEN.format(notes=str(notes)))
    publish = "from shop.celery_tasks.ex1_ship import ship; print(ship.apply_async(('tea',), priority=8).id)"

    def dead_letters(*arguments):
        done = project.celery("dead-letters", *arguments, check=True, **environment)
        return json.loads(done.stdout)

    with running_worker(project, tmp_path / "broken", **environment) as worker:
        task_id = project.run(project.python, "-c", publish, check=True, **environment).stdout.strip()
        worker.wait_for(lambda: "stored as a dead letter" in worker.output())
    [entry] = dead_letters("list", "--json")
    assert (entry["id"], entry["message"]) == (task_id, "name 'prices' is not defined")
    task_file.write_text(BROKEN.format(notes=str(notes)) + "\nprices = {'tea': 3}\n")
    with running_worker(project, tmp_path / "mended", **environment) as worker:
        assert dead_letters("requeue", task_id, "--json") == [{"id": task_id, "requeued": True, "reason": None}]
        worker.wait_for(notes.exists)
    assert notes.read_text() == f"{task_id} 8 3\n"
    assert dead_letters("list", "--json") == []


STORE_AWAY = """
import time
from pathlib import Path

from ..celery_config import app


@app.task(queue="tasks", acks_late=False)
def fail_when_told(told, password):
    while not Path(told).exists():
        time.sleep(0.01)
    raise ValueError("nobody to tell it to")


@app.task(queue="tasks")
def healthy():
    return "alive"
"""


def test_where_the_store_is_away_the_whole_entry_is_in_the_log(project, broker_server, redis_url, tmp_path):
    (project.tasks / "ex1_away.py").write_text(STORE_AWAY)
    environment = {
        "CELERY_BROKER_URL": broker_server.url,
        "CELERY_RESULT_BACKEND": redis_url,
        "APP_ENV": "test",
    }
    told = tmp_path / "told"
    publish = (
        "from shop.celery_tasks.ex1_away import fail_when_told\n"
        f"print(fail_when_told.delay({str(told)!r}, password='hunter2').id)"
    )
    with running_worker(project, tmp_path / "log", concurrency=2, **environment) as worker:
        task_id = project.run(project.python, "-c", publish, check=True, **environment).stdout.strip()
        worker.wait_for(lambda: f"[{task_id}] received" in worker.output())
        broker_server.stop()
        told.touch()
        worker.wait_for(lambda: "the store did not take this dead letter" in worker.output())
        lines = [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]
        [entry] = [line["dead_letter"] for line in lines if "dead_letter" in line]
        assert (entry["id"], entry["kind"], entry["attempts"]) == (task_id, "unexpected", 1)
        assert entry["signature"]["args"] == [str(told)]
        assert "hunter2" not in worker.output()
        broker_server.start()
        again = "from shop.celery_tasks.ex1_away import healthy; print(healthy.delay().get(timeout=30))"
        assert project.run(project.python, "-c", again, check=True, **environment).stdout == "alive\n"
