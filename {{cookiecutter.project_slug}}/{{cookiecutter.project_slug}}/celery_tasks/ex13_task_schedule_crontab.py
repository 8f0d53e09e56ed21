"""A task by the calendar: `schedule.py` says when, and beat publishes it.

Use it for what nobody calls. The traps: run one beat and only one, for two publish everything twice; a
crontab is in the time zone of the settings; beat publishes whether or not a worker runs, so let a message
expire before the next one comes; and what takes longer than its interval runs beside itself, unless it takes
a lock first, such as `redis.lock.Lock` or an advisory lock of PostgreSQL.
"""

import tempfile
import time
from pathlib import Path

from ..celery_config import app

FOLDER = f"{tempfile.gettempdir()}/{app.main}-exports"


@app.task(queue="tasks")
def tidy_up(folder: str = FOLDER, older_than: float = 24 * 60 * 60) -> int:
    """Remove the files that are older than so many seconds; return their number. A second run finds none."""
    removed = 0
    for path in Path(folder).glob("*"):
        if path.is_file() and path.stat().st_mtime < time.time() - older_than:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def run_tasks() -> None:
    """Do twice what beat does once a night. A worker must be running, on this machine. Prints:

    removed: 2 files
    removed: 0 files
    """
    with tempfile.TemporaryDirectory() as folder:
        for number in range(2):
            Path(folder, f"export-{number}").touch()
        for _ in range(2):
            print("removed:", tidy_up.delay(folder, older_than=-1).get(timeout=30), "files")
