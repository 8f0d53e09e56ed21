"""The tasks that the workers run. `SOURCE` is a task file of a baked project."""

FILE = "ex90_chaos.py"

SOURCE = '''
"""Tasks that write their ids when they begin and when they are done, and some that do harm."""

import os
import signal
import time
from pathlib import Path

from ..celery_config import app

NOTES = Path(os.environ.get("NOTES", "notes"))


def note(what, id_):
    with NOTES.open("a") as file:
        file.write(f"{what} {id_}\\n")


@app.task(queue="tasks", bind=True)
def innocent(self, seconds):
    note("begun", self.request.id)
    time.sleep(seconds)
    note("done", self.request.id)


@app.task(queue="tasks", bind=True)
def kills_its_process(self):
    note("begun", self.request.id)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(queue="tasks", bind=True)
def runs_out_of_memory(self):
    note("begun", self.request.id)
    raise MemoryError


@app.task(queue="tasks", bind=True)
def kills_its_worker(self):
    note("begun", self.request.id)
    time.sleep(0.3)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(30)
'''

PUBLISHER = """
import random, sys, time, uuid
from pathlib import Path
from shop.celery_tasks.ex90_chaos import innocent

number, seed, pause, longest, file = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
chance = random.Random(seed)
with open(file, "w") as ids:
    for _ in range(number):
        id_, seconds = str(uuid.uuid4()), chance.uniform(0.05, longest)
        while True:
            try:
                innocent.apply_async((seconds,), task_id=id_, priority=chance.randrange(10))
                break
            except Exception:
                time.sleep(0.2)  # the broker is away: whoever publishes tries again
        ids.write(id_ + "\\n")
        ids.flush()
        time.sleep(pause)
"""
