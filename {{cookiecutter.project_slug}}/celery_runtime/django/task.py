"""Define the base of every task in a Django project.

Runs in: publisher | task process.
"""

from celery.contrib.django import task as celery_django
from django.db import connections

from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.task import Task


class DjangoTask(Task, celery_django.DjangoTask):
    """Add `delay_on_commit()`, and close the database connections, which an error may have broken."""

    def before_next_run(self, verdict: Verdict) -> None:
        if verdict.kind.startswith("database"):
            for connection in connections.all(initialized_only=True):
                connection.close()
