"""Urgent work first: publish with a priority, and it runs before all that waits with a lower one.

Use it where people wait for some tasks and not for others. The trap: a running task is never
interrupted, so an urgent one still waits for the shortest of those that run.
"""

import tempfile
import time
from pathlib import Path

from celery_runtime import Priority

from ..celery_config import app


@app.task(queue="tasks", ignore_result=True)
def note(path: str, label: str, seconds: float = 0.0) -> None:
    """Work for some seconds, then add the label to a file as a line of its own."""
    time.sleep(seconds)
    with Path(path).open("a") as file:
        file.write(f"{label}\n")


def run_tasks() -> None:
    """Publish an urgent task behind twenty others. A worker must be running, on this machine. Prints:

    the urgent task was published last, and ran before others: True
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "order"
        for _ in range(20):
            note.apply_async((str(path), "low", 0.15), priority=Priority.LOW)
        note.apply_async((str(path), "critical"), priority=Priority.CRITICAL)
        deadline = time.monotonic() + 30
        while not path.exists() or len(order := path.read_text().split()) < 21:
            if time.monotonic() > deadline:
                raise TimeoutError("no worker ran them within 30 seconds")
            time.sleep(0.05)
    print("the urgent task was published last, and ran before others:", order.index("critical") < 15)
