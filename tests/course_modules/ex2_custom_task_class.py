import logging

from celery import Task
from dcelery.celery_config import app

logging.basicConfig(filename="app.log", level=logging.ERROR, format="%(asctime)s %(levelname)s %(message)s")


class CustomTask(Task):
    def on_failure(self, exc, task_id, args, kwargs, einfo):
        if isinstance(exc, ConnectionError):
            logging.error("Connection error occurred - Admin Notified")
        else:
            print(f"{task_id!r} failed: {exc!r}")


app.Task = CustomTask


@app.task(queue="tasks")
def my_task():
    raise ConnectionError("Connection Error Occurred...")


@app.task(queue="tasks")
def my_other_task():
    raise KeyError("no such order")


def run_tasks():
    my_task.delay()
    my_other_task.delay()
