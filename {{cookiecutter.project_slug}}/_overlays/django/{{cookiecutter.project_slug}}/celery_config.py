"""The Celery app. It names the folder of the task modules and imports none of them."""

import os

from celery_runtime import Celery
from celery_runtime.django.task import DjangoTask as Task

__all__ = ["Task", "app"]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{__package__}.settings")

app = Celery(
    __package__,
    tasks="celery_tasks",
    task_cls="celery_runtime.django.task:DjangoTask",
    policy="error_policy",
)
app.config_from_object("django.conf:settings", namespace="CELERY")
