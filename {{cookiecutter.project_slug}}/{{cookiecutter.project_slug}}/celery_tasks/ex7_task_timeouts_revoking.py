"""Limits of time, and tasks that nobody wants any longer.

Use `soft_time_limit` to end in order, `time_limit` for what hangs, `expires` for what is useless when it is
late, and `revoke` for what somebody has called off. The traps: a soft limit is an exception in the midst of
your code, so an `except Exception` swallows it; `revoke` is known to the workers that run at the time, and
forgotten when all of them restart; `terminate=True` kills the process wherever it is, so use it by hand and
not in a program; and the time limits and `terminate` want a pool of processes.
"""

import time

from celery.exceptions import SoftTimeLimitExceeded, TaskRevokedError

from ..celery_config import app


@app.task(queue="tasks", soft_time_limit=1, time_limit=10, track_started=True)
def search(seconds: float) -> str:
    """Search for as long as it takes, or for a second; what was found until then is better than nothing."""
    try:
        time.sleep(seconds)
    except SoftTimeLimitExceeded:
        return "the best of one second"
    return "the best of all"


@app.task(queue="tasks")
def remind(text: str) -> str:
    return text


def outcome(result) -> str:
    try:
        return str(result.get(timeout=30))
    except TaskRevokedError as error:
        return f"{result.state}, {error}"


def run_tasks() -> None:
    """Search within a limit, then remind too late, or not at all. A worker must be running. Prints:

    quick: the best of all
    slow: the best of one second
    late: REVOKED, expired
    called off while it waited: REVOKED, revoked
    called off while it ran: REVOKED, terminated
    """
    print("quick:", outcome(search.delay(0)))
    print("slow:", outcome(search.delay(60)))
    print("late:", outcome(remind.apply_async(("of yesterday",), expires=-1)))

    waiting = remind.apply_async(("of tomorrow",), countdown=0.5)
    waiting.revoke()
    print("called off while it waited:", outcome(waiting))

    running = search.apply_async((60,), soft_time_limit=30, time_limit=60)
    while running.state != "STARTED":
        time.sleep(0.1)
    running.revoke(terminate=True)
    print("called off while it ran:", outcome(running))
