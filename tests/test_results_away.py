"""A task that is done waits for the place of its result, where Celery's backend would fail it."""

import sqlite3
import time
from pathlib import Path

import pytest

from .workers import running_worker

pytestmark = pytest.mark.baked

TASK = """
import time
from pathlib import Path

from ..celery_config import app


@app.task(queue="tasks")
def slow(begun):
    Path(begun).touch()
    while not Path(f"{begun}-locked").exists():
        time.sleep(0.02)
    return 7
"""


def test_a_result_waits_for_the_database_of_django(bake_own, redis_url, tmp_path):
    project = bake_own(framework="django", result_backend="database")
    (project.tasks / "ex90_slow.py").write_text(TASK)
    settings = project.package / "settings.py"
    source = settings.read_text()
    assert source.count('{"timeout": 20,') == 1
    settings.write_text(source.replace('{"timeout": 20,', '{"timeout": 0.1,'))
    database, begun = tmp_path / "db.sqlite3", tmp_path / "begun"
    environment = {"CELERY_BROKER_URL": redis_url, "DATABASE_URL": f"sqlite:///{database}"}
    project.run(project.python, "manage.py", "migrate", check=True, **environment)
    with running_worker(project, tmp_path / "log", **environment) as worker:
        publish = f"from shop.celery_tasks.ex90_slow import slow; slow.apply_async(({str(begun)!r},), task_id='one')"
        project.run(project.python, "manage.py", "shell", "-c", publish, check=True, **environment)
        worker.wait_for(begun.exists)
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        Path(f"{begun}-locked").touch()
        worker.wait_for(lambda: "database is locked" in worker.output())
        time.sleep(1)
        other.execute("ROLLBACK")
        worker.wait_for(lambda: "succeeded" in worker.output())
        select = "SELECT status, result FROM django_celery_results_taskresult"
        assert other.execute(select).fetchall() == [("SUCCESS", "7")]
        other.close()
        assert "dead letter" not in worker.output()
