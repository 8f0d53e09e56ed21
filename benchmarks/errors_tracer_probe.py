"""Runs in a baked project's own Python; prints seconds of CPU per task in Celery's tracer as JSON.

usage: python -m benchmarks.errors_tracer_probe PACKAGE
"""

import importlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import celery
from celery.app.trace import build_tracer

from .side_by_side import interleave

HOSTNAME = "celery@localhost"
TASK_ID = "1f0e7b1c-6a52-4c7e-9a3f-2d1f3c0b9a11"
ROUNDS = 100


def success(x: int, y: int) -> int:
    return x + y


def failure(_x: int, _y: int) -> int:
    raise ValueError("x")


TASKS_PER_BLOCK = {success: 40, failure: 5}


def measure(package: str) -> dict[str, dict[str, list[float]]]:
    """Return by outcome, and by base of the task and format of the logs, what a task took in each block."""
    app: Any = importlib.import_module(package).app
    # A worker that is made, though not started, has set up logs, signals and Celery's own optimizations.
    worker = app.Worker(hostname=HOSTNAME, pool="solo", loglevel="INFO", logfile=os.devnull)
    bases = {"celery.Task": {"base": celery.Task}, "app.Task": {}}
    with open(os.devnull, "w") as devnull:  # noqa: PTH123
        handlers = log_handlers(worker.app, package, devnull)
        return {
            function.__name__: interleave(
                {
                    f"{base}, {logs} logs": partial(block, tracer(app, function, base, options), handler, count)
                    for logs, handler in handlers.items()
                    for base, options in bases.items()
                },
                ROUNDS,
            )
            for function, count in TASKS_PER_BLOCK.items()
        }


def log_handlers(app: Any, package: str, stream: Any) -> dict[str, logging.Handler]:
    """Return the handler that a worker writes its lines with, as Celery makes it and as the project does."""
    celerys, projects = logging.Logger("celery"), logging.Logger("project")
    for logger in (celerys, projects):
        app.log.setup_handlers(logger, stream, app.log.format, colorize=False)
    importlib.import_module(f"{package}.celery_runtime.logs").set_up(projects)
    return {"Celery's": celerys.handlers[0], "project's": projects.handlers[0]}


def tracer(
    app: Any, function: Callable[..., int], base: str, options: Mapping[str, Any]
) -> Callable[[], object]:
    """Return the tracer of a task with that function, called as a worker calls it."""
    task = app.task(function, name=f"{base}.{function.__name__}", **options)
    trace = build_tracer(task.name, task, app.loader, HOSTNAME, app=app)
    message = app.amqp.as_task_v2(TASK_ID, task.name, args=[2, 3])
    args, kwargs, embedded = message.body
    request = {
        **message.headers,
        **message.properties,
        **embedded,
        "properties": message.properties,
        "delivery_info": {"exchange": "", "routing_key": "tasks", "priority": 5, "redelivered": False},
        "hostname": HOSTNAME,
        "is_eager": False,
        "args": args,
        "kwargs": kwargs,
    }
    state = getattr(trace(TASK_ID, args, kwargs, request).info, "state", "SUCCESS")
    if state != function.__name__.upper():
        raise AssertionError(f"{task.name} ended with {state}")
    return lambda: trace(TASK_ID, args, kwargs, request)


def block(run: Callable[[], object], handler: logging.Handler, tasks: int) -> float:
    logging.root.handlers = [handler]
    start = time.process_time()
    for _ in range(tasks):
        run()
    return (time.process_time() - start) / tasks


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
