"""Notices at once that a process of the pool has ended.

Celery 5.7 is told by the end of a pipe, which closes a moment before the process can be waited for. Where it looks in that
moment it looks no more, and finds out when it counts its processes, every five seconds: until then a task that killed its
process seems to run, and may come to its time limit. Where it reconnects in that time, the worker ends, with "file
descriptor is None".

Source: celery/concurrency/asynpool.py (`_event_process_exit`, `_track_child_process`), billiard/pool.py
(`_join_exited_workers`), Celery 5.7.
"""

from typing import Any

LOOK_AGAIN = (0.05, 0.5)  # seconds after the end of the pipe


def notice_at_once(pool: Any, hub: Any) -> None:
    """Change how this pool learns of it. Call it each time before the pool is registered with the loop.

    Args:
        pool: the `AsynPool` of a worker.
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
