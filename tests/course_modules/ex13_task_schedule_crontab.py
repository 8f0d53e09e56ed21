from datetime import timedelta

from celery.schedules import crontab
from dcelery.celery_config import app

app.conf.beat_schedule = {
    "task1": {
        "task": "dcelery.celery_tasks.ex13_task_schedule_crontab.task1",
        "schedule": crontab(minute="*/1"),
        "kwargs": {"foo": "bar"},
    },
    "task2": {
        "task": "dcelery.celery_tasks.ex13_task_schedule_crontab.task2",
        "schedule": timedelta(seconds=1),
    },
}


@app.task(queue="tasks")
def task1(foo):
    print(f"Running task1 by crontab with {foo}")


@app.task(queue="tasks")
def task2():
    print("Running task2 beside it")
