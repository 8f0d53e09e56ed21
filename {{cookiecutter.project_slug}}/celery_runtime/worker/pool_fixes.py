"""Work around bugs of the process pool of Celery 5.7.

Runs in: worker main process. Every function takes the `AsynPool` of the worker. Source: celery/concurrency/asynpool.py
(`_event_process_exit`, `_track_child_process`, `_create_timelimit_handlers`), billiard/pool.py
(`_join_exited_workers`), Celery 5.7.
"""

import time
from typing import Any

LOOK_AGAIN = (0.05, 0.5)  # seconds after the end of the pipe
GRACE = 5.0  # seconds


def notice_at_once(pool: Any, hub: Any) -> None:
    """Notice at once that a process has ended. Call it before the pool is registered with the loop.

    Celery learns of it by the end of a pipe, which closes slightly before `waitpid` succeeds. It checks once, too soon,
    and then notices only in its sweep every 5 s: until then a task that killed its process seems to run, and may come
    to its time limit. A worker that reconnects in that time ends with "file descriptor is None".
    """
    for process in pool._pool:
        if getattr(process, "_sentinel_poll", True) is None:  # no longer watched, and not yet gone
            del process._sentinel_poll
    if "_event_process_exit" in vars(pool):
        return
    on_exit = pool._event_process_exit

    def look_again_on_exit(*args: Any) -> None:
        on_exit(*args)
        for seconds in LOOK_AGAIN:
            hub.call_later(seconds, pool.maintain_pool)

    pool._event_process_exit = look_again_on_exit


def drop_late_soft_limits(pool: Any) -> None:
    """Drop a soft limit that is not below the hard one. Call it after the pool is registered with the loop.

    Celery looks for the hard limit only once the soft one has come. The soft one is that of the settings, where a task
    or a call states a time limit alone.
    """
    start_timers = pool.on_timeout_set

    def on_timeout_set(job: Any, soft: float | None, hard: float | None) -> None:
        start_timers(job, None if soft and hard and soft >= hard else soft, hard)

    pool.on_timeout_set = on_timeout_set


def end_soon(pool: Any, job: Any) -> None:
    """Have a job that was sent a SIGTERM killed where it does not heed that, which Celery does not."""
    if hasattr(pool, "on_timeout_set"):
        pool.on_timeout_cancel(job)
        pool.on_timeout_set(job, None, GRACE)


def put_off_overdue(pool: Any, timer: Any) -> None:
    """Postpone the time limits that came while the loop stood still, as while it waits for its broker.

    Celery acts on them at once. Their tasks may have ended without the worker knowing it, or be about to store results.
    """
    now = time.monotonic()
    for due, _, entry in timer.queue:
        if due > now:
            break
        if not entry.canceled and entry.fun in (pool._on_soft_timeout, pool._on_hard_timeout):
            entry.cancel()
            pool._tref_for_id[entry.args[0]] = timer.call_after(GRACE, entry.fun, entry.args)
