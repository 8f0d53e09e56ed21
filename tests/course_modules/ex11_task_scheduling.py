from datetime import datetime, timedelta

from dcelery.celery_config import app


@app.task(queue="tasks")
def my_task(due):
    print(f"due {due}, run {datetime.utcnow().isoformat()}")


@app.task(queue="tasks")
def every_second():
    print("Running every_second")


app.conf.beat_schedule = {
    "every-second": {
        "task": "dcelery.celery_tasks.ex11_task_scheduling.every_second",
        "schedule": timedelta(seconds=1),
    },
}


def run_tasks():
    eta = datetime.utcnow() + timedelta(seconds=2)
    my_task.apply_async(args=[eta.isoformat()], eta=eta)
    my_task.apply_async(args=["soon"], countdown=1)
