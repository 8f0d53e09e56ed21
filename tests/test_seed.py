"""A task file written for the tutorial that this template grew from runs unchanged, hyphen and all."""

import re

import pytest

from .workers import running_worker

pytestmark = pytest.mark.baked

SEED_FILE = """from djcelery.celery_config import app


@app.task(queue="tasks")
def my_task1():
    return "one"


@app.task(queue='tasks')
def my_task2():
    print("two")
"""


def test_both_tasks_of_a_seed_file_run_with_the_worker_started_elsewhere(bake_own, broker_url, redis_url, tmp_path):
    project = bake_own(installed=True, project_slug="djcelery", framework="django")
    (project.tasks / "ex-name.py").write_text(SEED_FILE)
    urls = {"CELERY_BROKER_URL": broker_url, "CELERY_RESULT_BACKEND": redis_url}
    with running_worker(project, tmp_path / "log", **urls) as worker:
        for task in ("my_task1", "my_task2"):
            project.celery("call", f"djcelery.celery_tasks.ex-name.{task}", check=True, **urls)
            worker.wait_for(lambda task=task: f"ex-name.{task}[" in worker.output())
        worker.wait_for(lambda: worker.output().count(" succeeded in ") == 2)


def test_a_task_file_may_import_django_models(bake_own, redis_url, tmp_path):
    project = bake_own(framework="django")
    (project.tasks / "ex1_users.py").write_text(
        "from django.contrib.auth.models import User\n"
        "from shop.celery_config import app\n\n"
        "@app.task(queue='tasks')\n"
        "def count_users():\n"
        "    return User.objects.count()\n"
    )
    project.run(project.python, "manage.py", "migrate", check=True)
    assert project.run(project.python, "manage.py", "check").returncode == 0
    urls = {"CELERY_BROKER_URL": redis_url, "CELERY_LOG_ARGUMENTS": "1"}
    assert project.celery("tasks", "check", **urls).returncode == 0
    with running_worker(project, tmp_path / "log", **urls) as worker:
        project.celery("call", "shop.celery_tasks.ex1_users.count_users", check=True, **urls)
        worker.wait_for(lambda: "succeeded" in worker.output())
    assert re.search(r"succeeded in [\d.e-]+s: 0 ", worker.output())
