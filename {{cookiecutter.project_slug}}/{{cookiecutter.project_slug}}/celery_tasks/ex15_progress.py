"""A long task tells how far it is, and who has called it shows a bar.

Use it where a person waits. The traps: a state is a write to the result backend, so tell of each shelf and
not of each tin; the progress is gone once the task ends, and its result takes its place; and whoever has not
published the task needs its id.
"""

import sys
import time

from ..celery_config import app


@app.task(queue="tasks", bind=True)
def count_stock(self, shelves: int, seconds: float) -> int:
    for shelf in range(shelves):
        self.update_state(state="PROGRESS", meta={"done": shelf, "total": shelves})
        time.sleep(seconds / shelves)
    return shelves * 12


def show_progress(result, width: int = 40, seconds: float = 60.0) -> int:
    """Draw a bar on stderr until the task ends, or for so long; return the number of times it had moved."""
    seen = set()
    deadline = time.monotonic() + seconds
    while not result.ready() and time.monotonic() < deadline:
        meta = result.info  # asked for anew: between `state` and `info` the task may have ended
        if isinstance(meta, dict):
            seen.add(meta["done"])
            bar = "#" * (width * meta["done"] // meta["total"])
            print(f"\r[{bar:.<{width}}] {meta['done']}/{meta['total']}", end="", file=sys.stderr)
        time.sleep(0.05)
    print(f"\r{' ' * (width + 20)}\r", end="", file=sys.stderr)
    return len(seen)


def run_tasks() -> None:
    """Count shelves and watch. A worker must be running. Prints:

    the bar has moved: True
    counted: 120
    """
    result = count_stock.delay(10, seconds=0.7)
    print("the bar has moved:", show_progress(result) > 1)
    print("counted:", result.get(timeout=30))
