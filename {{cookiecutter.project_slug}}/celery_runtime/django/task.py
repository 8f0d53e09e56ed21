"""The base of every task in a Django project."""

from celery.contrib.django import task as celery_django
from django.db import connections

from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.task import Task


class DjangoTask(Task, celery_django.DjangoTask):
    """Adds `delay_on_commit()`, and goes into another run with no connection that an error has left dead."""

    def before_next_run(self, verdict: Verdict) -> None:
        if verdict.kind.startswith("database"):
            for connection in connections.all(initialized_only=True):
                connection.close()
