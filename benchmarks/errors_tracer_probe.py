"""Runs in a baked project's own Python; prints seconds of CPU per task in Celery's tracer as JSON.

usage: python -m benchmarks.errors_tracer_probe PACKAGE
"""

import gc
import importlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import celery
from celery.app.trace import build_tracer

from .side_by_side import interleave

ROUNDS = 60
HOSTNAME = "celery@localhost"
TASK_ID = "1f0e7b1c-6a52-4c7e-9a3f-2d1f3c0b9a11"


def success(x: int, y: int) -> int:
    return x + y


def failure(_x: int, _y: int) -> int:
    raise ValueError("x")


TASKS_PER_BLOCK = {success: 50, failure: 10}


def measure(package: str) -> dict[str, dict[str, list[float]]]:
    """Return what a task took in each block, by outcome, then by base class and format of the logs."""
    app: Any = importlib.import_module(package).app
    with Path(os.devnull).open("w") as stream:
        handlers = log_handlers(app, stream)
        cases = {task: blocks(app, task, handlers) for task in TASKS_PER_BLOCK}
        # Else the collections that are due now and then would hit the same case again and again.
        gc.disable()
        gc.freeze()
        return {task.__name__: interleave(cases[task], ROUNDS) for task in cases}


def log_handlers(app: Any, stream: TextIO) -> dict[str, logging.Handler]:
    """Return the handlers of a worker that writes to the stream: as Celery makes it, and as the project does."""
    sys.__stderr__ = stream
    # A worker that is made, though not started, has set up its logs, its signals and Celery's optimizations.
    app.Worker(hostname=HOSTNAME, loglevel="INFO")
    (projects,) = logging.root.handlers
    (celerys,) = app.log.setup_handlers(logging.getLogger(HOSTNAME), stream, app.log.format, False).handlers
    if type(celerys.formatter) is type(projects.formatter):
        raise AssertionError("the project has not changed the format of the logs")
    return {"Celery's logs": celerys, "project's logs": projects}


def blocks(
    app: Any, function: Callable[..., int], handlers: Mapping[str, logging.Handler]
) -> dict[str, Callable[[], float]]:
    bases = {"celery.Task": celery.Task, "app.Task": app.Task}
    tracers = {name: tracer(app, function, name, base) for name, base in bases.items()}
    tasks = TASKS_PER_BLOCK[function]
    return {
        f"{base}, {logs}": partial(seconds_per_task, trace, handler, tasks)
        for logs, handler in handlers.items()
        for base, trace in tracers.items()
    }


def tracer(app: Any, function: Callable[..., int], name: str, base: type) -> Callable[[], object]:
    """Return the tracer of a task, to be called with what a worker has received.

    Raises:
        AssertionError: the task ends otherwise than its function is called.
    """
    task = app.task(function, name=f"{name}.{function.__name__}", base=base)
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
    trace = build_tracer(task.name, task, app.loader, HOSTNAME, app=app)
    state = getattr(trace(TASK_ID, args, kwargs, request).info, "state", "SUCCESS")
    if state != function.__name__.upper():
        raise AssertionError(f"{task.name} ended with {state}")
    return partial(trace, TASK_ID, args, kwargs, request)


def seconds_per_task(trace: Callable[[], object], handler: logging.Handler, tasks: int) -> float:
    logging.root.handlers = [handler]
    gc.collect()
    start = time.process_time()
    for _ in range(tasks):
        trace()
    return (time.process_time() - start) / tasks


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
