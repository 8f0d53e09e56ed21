"""Whoever has read the examples deletes them as their README says, and keeps what is his own."""

import re

import pytest

from .workers import running_worker

pytestmark = pytest.mark.baked


def documented_deletion(readme: str) -> str:
    """Return the command of the README that deletes the examples."""
    [command] = re.findall(r"^    (rm (?:.*\\\n)*.*)$", readme, re.MULTILINE)
    return command


@pytest.mark.parametrize("framework", ["django", "plain"])
def test_the_documented_command_deletes_the_examples_and_nothing_else(bake_own, framework):
    project = bake_own(framework=framework)
    assert project.celery("tasks", "new", "refund").returncode == 0
    own = {path.name for path in project.tasks.glob("ex*_refund.py")}
    command = documented_deletion((project.tasks / "README.md").read_text())
    if framework == "django":
        command += " ex17_after_commit.py"
    assert project.run("sh", "-c", command, cwd=project.tasks).returncode == 0
    assert {path.name for path in project.tasks.iterdir() if path.is_file()} == {"__init__.py", *own}
    assert len(own) == 1


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
