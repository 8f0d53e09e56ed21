"""Checks the time limits of a task against each other and against the broker."""

from collections.abc import Iterator
from typing import Any

from celery_runtime.brokers import urls


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
    held = urls.longest_hold(conf)
    if hard > held:  # the broker would hand it out a second time while it still runs
        problem = f"the time limit of {task.name}, {hard:g} s, is above the"
        if urls.is_rabbitmq(conf.broker_read_url or conf.broker_url):
            remedy = "Lower it; or raise it in rabbitmq.conf, and rabbitmq_consumer_timeout in settings.py."
            yield f"{problem} consumer_timeout of RabbitMQ, {held:g} s", remedy
        else:
            yield (
                f"{problem} visibility timeout, {held:g} s",
                "Lower it, or raise task_longest_time_limit in settings.py.",
            )
