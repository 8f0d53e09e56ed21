import sys
from time import sleep

from celery.exceptions import SoftTimeLimitExceeded, TaskRevokedError, TimeLimitExceeded
from dcelery.celery_config import app


@app.task(queue="tasks", time_limit=2)
def long_running_task():
    sleep(60)
    return "Task completed successfully"


@app.task(queue="tasks", soft_time_limit=1, time_limit=60)
def careful_task():
    try:
        sleep(60)
    except SoftTimeLimitExceeded:
        return "Cleaned up in time"


@app.task(queue="tasks")
def revoked_task():
    print("About to be revoked")
    sleep(60)


def execute_task_examples():
    revoked = revoked_task.delay()
    result = long_running_task.delay()
    try:
        result.get(timeout=20)
    except TimeLimitExceeded:
        print("Task timed out")

    print(careful_task.delay().get(timeout=20))

    revoked.revoke(terminate=True)
    try:
        revoked.get(timeout=20)
    except TaskRevokedError:
        sys.stdout.write(f"Task status: {revoked.status}\n")
