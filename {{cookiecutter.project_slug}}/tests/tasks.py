"""Tasks of the tests: the worker is told to import this module as well."""

import time
import urllib.request
from pathlib import Path

from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from celery_runtime import Fail, PermanentError, Retry

from {{ cookiecutter.project_slug }} import app

SOON = {"external.unavailable": Retry(attempts=3, base=0.2, cap=0.2), "worker": Retry(attempts=3, base=0)}


@app.task(queue="tasks", bind=True, policy=SOON)
def fetch(self, url):
    urllib.request.urlopen(url, timeout=5).close()
    return self.attempt, self.request.delivery_info["priority"]


@app.task(queue="tasks")
def tell_time():
    return time.time()


@app.task(queue="tasks", bind=True)
def publish_child(self):
    return tell_priority.delay().id


@app.task(queue="tasks", bind=True)
def tell_priority(self):
    return self.request.delivery_info["priority"]


@app.task(queue="tasks", policy={"network": Retry(attempts=2, base=0)})
def lose_connection():
    raise ConnectionResetError("gone")


@app.task(queue="tasks", policy={"": Fail()})
def lose_connection_once():
    raise ConnectionResetError("gone")


@app.task(queue="tasks", soft_time_limit=0.5, time_limit=1)
def hang():
    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        time.sleep(30)


@app.task(queue="tasks", policy=SOON)
def run_out_of_memory():
    raise MemoryError


@app.task(queue="tasks")
def reject():
    raise Reject("not today", requeue=False)


@app.task(queue="tasks")
def ignore():
    raise Ignore


@app.task(queue="tasks")
def return_what_is_no_json():
    return object()


@app.task(queue="tasks", bind=True)
def ship(self, shelf, order):
    if not Path(shelf, order).exists():
        raise PermanentError(f"{order} is unknown", kind="application.unknown_order")
    return f"{order} on attempt {self.attempt}, priority {self.request.delivery_info['priority']}"


@app.task(queue="tasks")
def bill(shipped):
    return f"a bill for {shipped}"
