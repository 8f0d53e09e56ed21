"""Tasks of the tests of the library: the worker is told to import this module as well."""

import os
import signal
from pathlib import Path

from celery_runtime import Retry
from shop import app

SOON = {"worker": Retry(attempts=3, base=0)}


@app.task(queue="tasks", policy=SOON)
def kill_own_process(notes):
    with Path(notes).open("a") as file:
        file.write("run\n")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(queue="tasks", policy=SOON)
def be_killed_once(notes):
    if not Path(notes).exists():
        Path(notes).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"
