"""The task file of a project that is sent malformed messages. NOTES names the file in which tasks note their ids."""

FILE = "ex1_notes.py"
SOURCE = """
import os
from pathlib import Path

from ..celery_config import app


@app.task(queue="tasks", bind=True)
def note(self, *args, **kwargs):
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(f"{self.request.id}\\n")


@app.task(queue="tasks")
def strict(number: int):
    raise ValueError(number)
"""
NOTE = "celery_tasks.ex1_notes.note"
STRICT = "celery_tasks.ex1_notes.strict"
