"""Check the task files in `manage.py check --deploy`, as `celery -A PACKAGE tasks check` does."""

from typing import Any

from django.core import checks

from celery_runtime.app import project_app


def check_task_files(**_: Any) -> list[checks.CheckMessage]:
    """Name every reason for which a worker would refuse to start. It imports the task files."""
    levels = {True: checks.ERROR, False: checks.WARNING}
    return [
        checks.CheckMessage(levels[p.fatal], f"{p.file}:{p.line}: {p.problem}", p.remedy)
        for p in project_app().task_modules.check()
    ]
