"""Check the options of tasks, routes and the schedule, of which Celery tells only when a task is published or runs.

Runs in: worker main process, beat, `tasks check`.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import celery
from celery.utils import time
from kombu import compression, serialization

from celery_runtime.brokers import urls
from celery_runtime.brokers.priorities import LEVELS, Priority
from celery_runtime.retry.policy import check_rules
from celery_runtime.retry.task import Task

Problem = tuple[str, str]  # what is wrong, and the remedy
ROUTED = ("queue", "exchange", "routing_key", "priority")


def of_task(task: celery.Task, app: celery.Celery) -> Iterator[Problem]:
    """Yield each problem with a function and the options of its decorator."""
    yield from _never_runs(task)
    stated = {name: getattr(task, name, None) for name in ("queue", "priority", "serializer", "compression")}
    yield from of_message(stated, task.name, app)
    yield from _wrong_limits(task, app.conf)
    try:
        time.rate(getattr(task, "rate_limit", None))
    except (KeyError, TypeError, ValueError):
        yield f"the rate limit of {task.name} is {task.rate_limit!r}", "Use such as '10/s', '100/m' or '2/h'."
    yield from _wrong_old_names(task, app)
    table = task.policy if isinstance(task, Task) else None
    try:
        check_rules({} if table is None else table)
    except (TypeError, ValueError) as error:
        yield f"{task.name}: {error}", "Correct the policy of this task."


def of_message(stated: Mapping[str, Any], owner: str, app: celery.Celery) -> Iterator[Problem]:
    """Yield each problem with options that are published with a message; `owner` states them."""
    if (queue := stated.get("queue")) is not None:
        name, queues = getattr(queue, "name", queue), app.amqp.queues
        if name not in queues and name not in queues.aliases:  # a Broadcast has its name as an alias
            known = ", ".join(sorted(map(shown, queues.values())))
            yield f"the queue {name!r} of {owner} does not exist", f"Use one of {known}, or add it in queues.py."
    if (priority := stated.get("priority")) is not None and priority not in LEVELS:
        yield f"the priority {priority!r} of {owner} does not exist", "Use a whole number from 0 to 9."
    if (serializer := stated.get("serializer")) and (reason := _refusal(serializer, app.conf.accept_content)):
        yield f"the serializer {serializer!r} of {owner} is refused by workers: {reason}", "Name it in accept_content."
    if method := stated.get("compression"):
        try:
            compression.get_encoder(method)
        except KeyError:
            remedy = "Use gzip or bzip2, or install its library."
            yield f"the compression {method!r} of {owner} does not exist", remedy


def of_settings(app: celery.Celery) -> Iterator[tuple[str, str, Problem]]:
    """Yield a setting, or else the entry of one, and what is wrong with it."""
    for pattern, route in stated_routes(app.conf):
        stated = {"queue": route} if isinstance(route, str) else route
        yield from (("", pattern, problem) for problem in of_message(stated, f"the route {pattern!r}", app))
    for entry, options in app.conf.beat_schedule.items():
        stated = options.get("options") or {}
        yield from (("", entry, problem) for problem in of_message(stated, f"the entry {entry!r}", app))
    for setting, accepted in (("task_serializer", None), ("result_serializer", app.conf.result_accept_content)):
        if reason := _refusal(app.conf[setting], accepted or app.conf.accept_content):
            problem = f"{setting}, {app.conf[setting]!r}, is refused where it is read: {reason}"
            yield setting, "", (problem, "Name it in accept_content.")


def stated_routes(conf: Any) -> Iterator[tuple[str, Any]]:
    """Yield the routes of `task_routes` that are no functions: a name or a pattern, and where it leads."""
    stated = conf.task_routes or ()
    for router in stated if isinstance(stated, list | tuple) else [stated]:
        if isinstance(router, Mapping | list | tuple):
            yield from ((getattr(name, "pattern", name), route) for name, route in dict(router).items())


def route_of(task: celery.Task, app: celery.Celery) -> tuple[str, int]:
    """Return queue and priority with which a task is published if the call states none."""
    stated = {name: value for name in ROUTED if (value := getattr(task, name, None)) is not None}
    route = app.amqp.router.route(stated, task.name, (), {}, task)
    queue, priority = route.get("queue"), route.get("priority")
    place = shown(queue) if queue else f"{route.get('exchange')}:{route.get('routing_key')}"
    return place, int(Priority.NORMAL if priority is None else priority)


def shown(queue: Any) -> str:
    """Return the name by which code knows a queue: that of a Broadcast is an alias."""
    return str(queue.alias or queue.name)


def _never_runs(task: celery.Task) -> Iterator[Problem]:
    function: Callable[..., Any] = getattr(task, "_orig_run", task.run)  # without autoretry's wrapper, nor pydantic's
    wrappers = ("celery.app.base", "celery.app.autoretry")
    function = inspect.unwrap(function, stop=lambda f: getattr(f, "__globals__", {}).get("__name__") not in wrappers)
    remedy = "Write it with def alone"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield f"{task.name} is an async function, whose body no worker runs", f"{remedy}, and asyncio.run(…) in it."
    elif inspect.isgeneratorfunction(function):
        yield f"{task.name} has a yield: no worker runs its body", f"{remedy}, and return what it makes."


def _wrong_old_names(task: celery.Task, app: celery.Celery) -> Iterator[Problem]:
    stated = getattr(task, "old_names", ())
    if not isinstance(stated, list | tuple) or not all(isinstance(name, str) for name in stated):
        yield f"old_names of {task.name} is {stated!r}", "Use a list of names."
        return
    others = [other for other in app.tasks.values() if other.name != task.name]
    for name in stated:
        if takers := [other.name for other in others if name == other.name or name in getattr(other, "old_names", "")]:
            yield f"the old name {name!r} of {task.name} is also that of {takers[0]}", "Remove one of the two."


def _refusal(serializer: str, accepted: Iterable[str]) -> str:
    """Return why a worker refuses what this serializer writes; empty if it does not."""
    try:
        kind, encoding, text = serialization.dumps([[], {}, {}], serializer=serializer)
        serialization.loads(text, kind, encoding, accept=serialization.prepare_accept_content(accepted))
    except Exception as error:  # noqa: BLE001 - a library of the user's can raise anything
        return f"{type(error).__name__}: {error}"
    return ""


def _wrong_limits(task: celery.Task, conf: Any) -> Iterator[Problem]:
    """Check the time limits of a task against each other and against the broker."""
    hard = getattr(task, "time_limit", None) or conf.task_time_limit
    soft = getattr(task, "soft_time_limit", None) or conf.task_soft_time_limit
    if wrong := [limit for limit in (hard, soft) if not isinstance(limit, int | float | None)]:
        yield f"a time limit of {task.name} is {wrong[0]!r}", "Use a number of seconds."
        return
    if not hard:
        yield f"{task.name} has no time limit", "Set time_limit=… on it, or task_time_limit in settings.py."
        return
    # The worker ignores the default soft limit for a task whose time limit comes before it.
    if soft and soft >= hard and soft != conf.task_soft_time_limit:
        problem = f"the soft time limit of {task.name}, {soft:g} s, is not below its time limit, {hard:g} s"
        yield problem, "State both on the task: soft_time_limit=… below time_limit=…."
    if hard > (held := urls.longest_hold(conf)):  # the broker would deliver it a second time while it still runs
        problem = f"the time limit of {task.name}, {hard:g} s, is above the consumer_timeout of RabbitMQ, {held:g} s"
        yield problem, "Lower it; or raise it in rabbitmq.conf, and rabbitmq_consumer_timeout in settings.py."
