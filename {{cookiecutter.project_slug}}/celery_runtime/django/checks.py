"""Check the task files in `manage.py check --deploy`, as `celery -A PACKAGE tasks check` does."""

from collections.abc import Sequence
from typing import Any

from django.core import checks

from celery_runtime.app import project_app
from celery_runtime.discovery.files import TaskFileProblem
from celery_runtime.discovery.loading import BrokenTaskModules


def check_task_files(**_: Any) -> list[checks.CheckMessage]:
    """Name every reason for which a worker would refuse to start. It imports the task files."""
    app = project_app()
    try:
        app.loader.import_default_modules()
        problems: Sequence[TaskFileProblem] = app.task_modules.problems
    except BrokenTaskModules as error:
        problems = error.problems
    levels = {True: checks.ERROR, False: checks.WARNING}
    return [checks.CheckMessage(levels[p.fatal], f"{p.file}:{p.line}: {p.problem}", p.remedy) for p in problems]
