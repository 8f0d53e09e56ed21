"""The Celery app. It names the folder of the task modules and imports none of them."""

from celery_runtime import Celery, Task

__all__ = ["Task", "app"]

app = Celery(__package__, tasks="celery_tasks", policy="error_policy")
app.config_from_object(f"{__package__}.settings")
