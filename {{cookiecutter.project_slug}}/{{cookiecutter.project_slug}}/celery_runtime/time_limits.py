"""The time limits of a task: whether they fit each other and what its broker allows, and that the first comes first.

Source: celery/concurrency/asynpool.py (`_create_timelimit_handlers`), Celery 5.7.
"""

import time
from collections.abc import Iterator
from typing import Any

from . import broker

GRACE = 5.0  # seconds


def problems(task: Any, conf: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the limits of a task, each with its remedy."""
    hard = getattr(task, "time_limit", None) or conf.task_time_limit
    soft = getattr(task, "soft_time_limit", None) or conf.task_soft_time_limit
    if wrong := [limit for limit in (hard, soft) if not isinstance(limit, int | float | None)]:
        yield f"a time limit of {task.name} is {wrong[0]!r}", "Use a number of seconds."
        return
    if not hard:
        yield f"{task.name} has no time limit", "Set time_limit=… on it, or task_time_limit in settings.py."
        return
    # One that is the settings' is left out where a time limit comes before it.
    if soft and soft >= hard and soft != conf.task_soft_time_limit:
        problem = f"the soft time limit of {task.name}, {soft:g} s, is not below its time limit, {hard:g} s"
        yield problem, "State both on the task: soft_time_limit=… below time_limit=…."
    held = broker.longest_hold(conf)
    if hard > held:  # the broker would hand it out a second time while it still runs
        problem = f"the time limit of {task.name}, {hard:g} s, is above the"
        if broker.is_rabbitmq(conf.broker_read_url or conf.broker_url):
            remedy = "Lower it; or raise it in rabbitmq.conf, and rabbitmq_consumer_timeout in settings.py."
            yield f"{problem} consumer_timeout of RabbitMQ, {held:g} s", remedy
        else:
            yield (
                f"{problem} visibility timeout, {held:g} s",
                "Lower it, or raise longest_task in settings.py.",
            )


def drop_late_default(task: Any, conf: Any) -> None:
    """Take the soft limit of the settings from a task that states a time limit alone, which comes before it.

    Celery would refuse to publish the task.
    """
    hard, soft = task.time_limit, task.soft_time_limit
    is_default = soft and soft == conf.task_soft_time_limit
    if is_default and isinstance(hard, int | float) and 0 < hard <= soft:
        task.soft_time_limit = 0  # None would be filled in again


def drop_late_soft_limits(pool: Any) -> None:
    """Leave out a soft limit that is not below the hard one, which the pool would not look for until then.

    It is the one of the settings, where a task or a call states a time limit alone. Call it each time after the pool was
    registered with the loop.

    Args:
        pool: the `AsynPool` of a worker.
    """
    start_timers = pool.on_timeout_set

    def on_timeout_set(job: Any, soft: float | None, hard: float | None) -> None:
        start_timers(job, None if soft and hard and soft >= hard else soft, hard)

    pool.on_timeout_set = on_timeout_set


def end_soon(pool: Any, job: Any) -> None:
    """Have what was sent a SIGTERM killed where it does not heed that. Its limits are void.

    Args:
        pool: the `AsynPool` of a worker.
        job: what it made of the task.
    """
    if hasattr(pool, "on_timeout_set"):
        pool.on_timeout_cancel(job)
        pool.on_timeout_set(job, None, GRACE)


def put_off_overdue(pool: Any, timer: Any) -> None:
    """Act a little later on the limits that came while the worker's loop stood still, as while it waits for its broker.

    Their tasks may have ended meanwhile, which the worker does not know yet, or be about to store their results.
    """
    now = time.monotonic()
    for due, _, entry in timer.queue:
        if due > now:
            break
        if not entry.canceled and entry.fun in (pool._on_soft_timeout, pool._on_hard_timeout):
            entry.cancel()
            pool._tref_for_id[entry.args[0]] = timer.call_after(GRACE, entry.fun, entry.args)
