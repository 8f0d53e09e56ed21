"""Urgent work published behind a backlog starts next, by every way to publish, on both brokers."""

import json
from typing import Any

import pytest

from .workers import running_worker

pytestmark = pytest.mark.baked

TASKS = '''
"""Tasks that note when their message was published and when they started, on one clock."""
import json
import os
import time
from pathlib import Path

from celery.signals import after_task_publish
from shop.celery_config import app

NOTES = Path(os.environ["NOTES"])
LOW, HIGH = 2, 9


def note(**fields):
    with NOTES.open("a") as file:
        file.write(json.dumps({**fields, "time": time.monotonic()}) + "\\n")


@after_task_publish.connect
def note_publication(headers, **_):
    note(id=headers["id"], label="published")


def write(task, label):
    note(id=task.request.id, label=label)


@app.task(queue="tasks", bind=True, ignore_result=True)
def low(self, seconds):
    write(self, "low")
    time.sleep(seconds)


@app.task(queue="tasks", bind=True)
def high(self, *args, label="high"):
    write(self, label)


@app.task(queue="tasks", bind=True, ignore_result=True, max_retries=1)
def retried(self):
    write(self, "first run" if self.request.retries == 0 else "high")
    if self.request.retries == 0:
        raise self.retry(countdown=0)


@app.task(queue="tasks", bind=True, ignore_result=True)
def parent(self):
    write(self, "parent")
    high.delay()


@app.task(queue="tasks", bind=True)
def fail(self):
    write(self, "failing")
    raise ValueError("meant to")


app.conf.beat_schedule = {"urgent": {"task": high.name, "schedule": 1.0, "options": {"priority": HIGH}}}
'''

PUBLISHER = """
import json, random, sys, time
from celery import chain, chord, group
from shop.celery_tasks.ex1_notes import *

seconds, concurrency = float(sys.argv[1]), int(sys.argv[2])
ways = json.loads(sys.argv[3])

def notes():
    text = NOTES.read_text() if NOTES.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\\n") + 1].splitlines()]

def started(label):
    return sum(note["label"] == label for note in notes())

def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.001)

published = 0
for way, labels in ways.items():
    while published - started("low") < 50:
        # Of different lengths, so that the processes of one worker do not all end at once.
        low.apply_async((seconds * random.uniform(0.8, 1.2),), priority=LOW)
        published += 1
    before, highs = started("low"), started(labels[-1])
    # Of a worker that has just started, each process has its first task before the second.
    wait_for(lambda: started("low") > max(before, concurrency))
    eval(way)
    wait_for(lambda: started(labels[-1]) > highs)
"""

# Each way, and the labels of the urgent tasks that it publishes; the last of them starts last.
WAYS = {
    "high.apply_async(priority=HIGH)": ["high"],
    "app.send_task(high.name, priority=HIGH)": ["high"],
    "high.s().set(priority=HIGH).delay()": ["high"],
    "group(high.s(), high.s()).apply_async(priority=HIGH)": ["high"],
    "chain(high.s(), high.s(label='second'), high.s(label='third')).apply_async(priority=HIGH)": [
        "high",
        "second",
        "third",
    ],
    "chord([high.si(), high.si()], high.si(label='body')).apply_async(priority=HIGH)": ["high", "body"],
    "high.apply_async(priority=HIGH, link=high.si(label='link'))": ["high", "link"],
    "low.apply_async((0,), priority=LOW, link=high.si(label='urgent link').set(priority=HIGH))": ["urgent link"],
    "fail.apply_async(priority=HIGH, link_error=high.si(label='errback'))": ["failing", "errback"],
    "parent.apply_async(priority=HIGH)": ["parent", "high"],
    "retried.apply_async(priority=HIGH)": ["first run", "high"],
}
LABELS = {label for labels in WAYS.values() for label in labels}


@pytest.fixture
def project(bake_own):
    project = bake_own(framework="plain")
    (project.tasks / "ex1_notes.py").write_text(TASKS)
    return project


def overtakings(notes: list[dict[str, Any]], label: str) -> list[int]:
    """For each run of the label: how many low ones started between its publication and its start."""
    lows = [note["time"] for note in notes if note["label"] == "low"]
    published: dict[str, list[float]] = {}
    starts: dict[str, list[tuple[float, str]]] = {}
    for note in sorted(notes, key=lambda note: note["time"]):
        if note["label"] == "published":
            published.setdefault(note["id"], []).append(note["time"])
        else:
            starts.setdefault(note["id"], []).append((note["time"], note["label"]))
    return [
        sum(publication < low < start for low in lows)
        for id_, runs in starts.items()
        # A run that is noted before its publication has waited for nothing.
        for publication, (start, its_label) in zip(published.get(id_, []), runs, strict=False)
        if its_label == label
    ]


@pytest.mark.parametrize(("concurrency", "seconds"), [(1, 0.06), (4, 0.3)])
def test_urgent_work_starts_next(project, broker_url, redis_url, tmp_path, concurrency, seconds):
    notes_file = tmp_path / "notes"
    urls = {"CELERY_BROKER_URL": broker_url, "CELERY_RESULT_BACKEND": redis_url, "NOTES": str(notes_file)}
    with running_worker(project, tmp_path / "log", concurrency=concurrency, **urls) as worker:
        command = (project.python, "-c", PUBLISHER, str(seconds), str(concurrency), json.dumps(WAYS))
        done = project.run(*command, **urls)
        assert done.returncode == 0, done.stderr + worker.output()
        notes = [json.loads(line) for line in notes_file.read_text().splitlines()]
    counts = {label: overtakings(notes, label) for label in sorted(LABELS)}
    print(f"low tasks that overtook an urgent one: {counts}")
    assert all(counts.values())
    # Of several processes each may have a message on its way to it, which seldom happens; were they held in line, all would.
    every = [number for each in counts.values() for number in each]
    assert max(every) <= (0 if concurrency == 1 else concurrency), counts
    assert sum(every) <= len(every) / 2, counts


def test_what_beat_publishes_starts_next(project, broker_url, tmp_path):
    notes_file = tmp_path / "notes"
    urls = {"CELERY_BROKER_URL": broker_url, "NOTES": str(notes_file)}
    urls["CELERY_RESULT_BACKEND"] = "cache+memory://"
    backlog = "from shop.celery_tasks.ex1_notes import *\nfor _ in range(120): low.apply_async((0.06,), priority=LOW)"
    project.run(project.python, "-c", backlog, check=True, **urls)
    schedule = ("--schedule", str(tmp_path / "schedule"))
    with (
        running_worker(project, tmp_path / "log", **urls) as worker,
        running_worker(project, tmp_path / "beat", *schedule, command="beat", **urls),
    ):
        worker.wait_for(lambda: notes_file.read_text().count('"high"') >= 5 if notes_file.exists() else False)
    notes = [json.loads(line) for line in notes_file.read_text().splitlines()]
    counts = overtakings(notes, "high")[:5]
    # Beat does not wait for a task to start, so a low message may be on its way when it publishes.
    assert max(counts) <= 1, counts
    assert counts.count(0) >= 3, counts
