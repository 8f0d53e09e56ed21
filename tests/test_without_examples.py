"""Whoever has read the examples deletes them: `rm ex*.py`, and nothing else."""

import pytest

from .workers import running_worker

pytestmark = pytest.mark.baked


def test_without_examples_a_worker_warns_and_the_tests_pass(bake_own, redis_url, tmp_path):
    project = bake_own(installed=True, framework="plain")
    for path in project.tasks.glob("ex*.py"):
        path.unlink()
    with running_worker(project, tmp_path / "log", CELERY_BROKER_URL=redis_url) as worker:
        output = worker.output()
    assert "Add a task file, such as celery_tasks/ex1_hello.py." in output
    assert "shop/schedule.py:8: 'tidy up at night' schedules the task" in output
    assert "Correct the name, or remove the entry." in output
    done = project.run("make", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was deleted" in done.stdout
