"""A task at a time of its own: in some seconds, at a moment, and not after another.

Use `countdown` for seconds from now and `eta` for a moment; add `expires` to what is useless when it comes
late. The traps: give an `eta` its time zone, for a naive one is taken as UTC; a time is the earliest and no
promise, since a worker must be free then; and workers hold in memory what waits, so keep appointments in a
table when there are very many.
"""

import time
from datetime import UTC, datetime, timedelta

from celery.exceptions import TaskRevokedError

from ..celery_config import app


@app.task(queue="tasks")
def tell_time() -> float:
    """Return when this ran, in seconds since 1970."""
    return time.time()


def run_tasks() -> None:
    """Publish for now, for later and for too late. A worker must be running, and the clocks right. Prints:

    not before its countdown: True
    not before its eta: True
    expires before it is due: expired
    """
    start = time.time()
    soon = tell_time.apply_async(countdown=0.5)
    at_a_moment = tell_time.apply_async(eta=datetime.now(UTC) + timedelta(seconds=1))
    too_late = tell_time.apply_async(countdown=0.5, expires=0.1)
    print("not before its countdown:", soon.get(timeout=30) - start >= 0.5)
    print("not before its eta:", at_a_moment.get(timeout=30) - start >= 1)
    try:
        print("expires before it is due:", too_late.get(timeout=30))
    except TaskRevokedError as error:
        print("expires before it is due:", error)
