from datetime import timedelta

from dcelery.celery_config import app

app.conf.beat_schedule = {
    "task1": {
        "task": "dcelery.celery_tasks.ex12_task_schedule_customization.task1",
        "schedule": timedelta(seconds=1),
        "kwargs": {"foo": "bar"},
        "args": (1, 2),
        "options": {"queue": "tasks", "priority": 7},
    },
    "task2": {
        "task": "dcelery.celery_tasks.ex12_task_schedule_customization.task2",
        "schedule": timedelta(seconds=2),
    },
}


@app.task(queue="tasks")
def task1(a, b, **kwargs):
    print(f"Running task1 - {a + b} {kwargs}")


@app.task(queue="tasks")
def task2():
    print("Running task2 every two seconds")
