"""A task file: one task for each way to fail. It is copied into a baked project."""

import os
import signal
import time

from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from celery_runtime import PermanentError, Retry

from ..celery_config import app

TWICE = {"worker": Retry(attempts=2, base=0)}


@app.task(queue="tasks")
def exception():
    raise PermanentError("no stock", kind="application.out_of_stock")


@app.task(queue="tasks", policy={"network": Retry(attempts=3, base=0)})
def policy_exhausted():
    raise ConnectionResetError("gone")


@app.task(queue="tasks", bind=True, max_retries=2)
def retries_exhausted(self):
    raise self.retry(countdown=0)


@app.task(queue="tasks", soft_time_limit=1, time_limit=20)
def soft_time_limit():
    time.sleep(10)


@app.task(queue="tasks", soft_time_limit=1, time_limit=2)
def hard_time_limit():
    try:
        time.sleep(10)
    except SoftTimeLimitExceeded:
        time.sleep(10)


@app.task(queue="tasks")
def bad_arguments(number):
    return number


@app.task(queue="tasks")
def bad_result():
    return object()


@app.task(queue="tasks", policy=TWICE)
def killed():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(queue="tasks", policy=TWICE)
def system_exit():
    raise SystemExit(3)


@app.task(queue="tasks")
def rejected():
    raise Reject("not today", requeue=False)


@app.task(queue="tasks", policy=TWICE)
def memory_error():
    raise MemoryError


@app.task(queue="tasks")
def ignored():
    raise Ignore


@app.task(queue="tasks")
def healthy():
    return "alive"
