from celery.signals import task_failure
from dcelery.celery_config import app


@app.task(queue="tasks")
def cleanup_failed_task(task_id, *args, **kwargs):
    print(f"CLEAN UP after {task_id}")


@app.task(queue="tasks")
def my_task():
    raise ValueError("Task failed")


@task_failure.connect(sender=my_task)
def handle_task_failure(sender=None, task_id=None, **kwargs):
    cleanup_failed_task.delay(task_id)


@task_failure.connect
def count_every_failure(sender=None, exception=None, **kwargs):
    print(f"{sender.name} has failed: {exception}")


def run_tasks():
    my_task.apply_async()
