"""A Django that cannot be set up is told in one line, which blames no task file."""

import pytest

MODEL = """
    from django.contrib.auth.models import User

    from PACKAGE import app

    @app.task(queue="tasks")
    def count():
        return User.objects.count()
"""


@pytest.fixture
def project(copy):
    copy.write("ex1_model.py", MODEL)
    return copy


def test_an_app_that_is_not_there_is_no_fault_of_a_task_file(project):
    project.change("settings.py", '"django.contrib.admin",', '"django.contrib.admin", "nowhere",')
    done = project.celery("tasks", "check")
    assert done.stderr == "error: ModuleNotFoundError: No module named 'nowhere'. Correct it in settings.py.\n"


def test_an_app_that_is_broken_is_told_with_its_line(project):
    app = project.root / project.package / "orders"
    app.mkdir()
    (app / "__init__.py").touch()
    (app / "models.py").write_text("from django.db import models\n\nclass Order(models.Modell): ...\n")
    project.change("settings.py", '"django.contrib.admin",', f'"django.contrib.admin", "{project.package}.orders",')
    done = project.celery("worker")
    assert done.returncode == 1
    problem = "AttributeError: module 'django.db.models' has no attribute 'Modell'"
    assert done.stderr.startswith(f"error: {project.package}/orders/models.py:3: {problem}")
    assert "Traceback" not in done.stderr
