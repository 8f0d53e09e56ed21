"""Urgent work first: publish with a priority, and it runs before all that waits with a lower one.

Use it where people wait for some tasks and not for others. The trap: a running task is never
interrupted, so an urgent one still waits for the shortest of those that run.
"""

import time
from pathlib import Path

from ..celery_config import app
from ..queues import Priority


@app.task(queue="tasks", ignore_result=True)
def note(path: str, label: str, seconds: float = 0.0) -> None:
    """Work for some seconds, then add the label to a file as a line of its own."""
    time.sleep(seconds)
    with Path(path).open("a") as file:
        file.write(f"{label}\n")


def run_tasks() -> None:
    path = Path("priorities.txt").resolve()
    for priority in (Priority.LOW, Priority.NORMAL, Priority.CRITICAL):
        note.apply_async((str(path), priority.name), priority=priority)
    print(f"published LOW, NORMAL, CRITICAL; {path} shows the order in which they ran")
