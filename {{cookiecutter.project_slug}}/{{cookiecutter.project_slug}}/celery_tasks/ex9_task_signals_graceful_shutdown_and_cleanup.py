"""Signals: what each process opens and closes, what a worker says when it stops, and what a failed task leaves behind.

Use `worker_process_init` for what must not be shared by processes, such as a connection: a task module is
loaded once, before the processes are forked. The traps: a receiver that is a local function is forgotten
unless it is connected with `weak=False`; whoever waits for the result may be quicker than `task_failure`; and
a process that is killed sends no signal of its own (its worker sends `task_failure`, in another process), so
write so that half of the work does no harm, as the file here.
"""

import os
import tempfile
import time
from pathlib import Path

import structlog
from celery import signals

from ..celery_config import app

logger = structlog.get_logger()
opened_by: int | None = None


@signals.worker_process_init.connect
def open_connection(**_) -> None:
    global opened_by
    opened_by = os.getpid()


@signals.worker_process_shutdown.connect
def close_connection(**_) -> None:
    global opened_by
    opened_by = None


@signals.worker_shutting_down.connect
def tell_of_shutdown(sig: str, how: str, **_) -> None:
    logger.info("this worker is told to stop", signal=sig, how=how)


@app.task(queue="tasks")
def export(path: str, rows: list[int]) -> bool:
    """Write the reciprocals of the rows, all of them or no file; return whether this process has its connection."""
    unfinished = Path(f"{path}.part")
    with unfinished.open("w") as file:
        file.writelines(f"{1 / row}\n" for row in rows)
    unfinished.rename(path)  # in one step: nobody ever sees half a file
    return opened_by == os.getpid()


@signals.task_failure.connect(sender=export)
def remove_unfinished(args: tuple[str, list[int]], **_) -> None:
    # `args` has what was passed by position; what was passed by name is in `kwargs`.
    Path(f"{args[0]}.part").unlink(missing_ok=True)


def run_tasks() -> None:
    """Export twice, once with an error. A worker must be running, on this machine. Prints:

    the process had its connection: True
    division by zero
    files: ['good']
    """
    with tempfile.TemporaryDirectory() as folder:
        good, bad = (str(Path(folder, name)) for name in ("good", "bad"))
        print("the process had its connection:", export.delay(good, [1, 2]).get(timeout=30))
        print(export.delay(bad, [1, 0]).get(timeout=30, propagate=False))
        for _ in range(100):
            if Path(f"{bad}.part").exists():
                time.sleep(0.05)
        print("files:", sorted(path.name for path in Path(folder).iterdir()))
