"""A task that Celery runs again when it fails with an error that is likely to pass.

Use it for calls over a network. The trap: a task that may run twice must do no harm the second time;
do not retry what will fail in the same way for ever, such as a wrong password.
"""

from celery import Task

from ..celery_config import app


@app.task(queue="tasks", bind=True, autoretry_for=(ConnectionError,), max_retries=4, default_retry_delay=1)
def succeed_on_run(self: "Task[..., int]", run: int) -> int:
    """Fail as a lost connection would until the given run, counted from 1, and return its number."""
    this_run = self.request.retries + 1
    if this_run < run:
        raise ConnectionError(f"run {this_run} lost its connection")
    return this_run


def run_tasks() -> None:
    print("succeeded on run", succeed_on_run.delay(3).get(timeout=30))
