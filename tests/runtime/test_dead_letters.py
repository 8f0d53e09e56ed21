"""Dead letters that are requeued late, too often or by two at once, and those that are too old or too many."""

import json

import pytest

TASKS = """
    import os
    import signal
    import time
    from pathlib import Path

    from PACKAGE.celery_config import app
    from celery_runtime import PermanentError, Retry

    def write(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")

    @app.task(queue="tasks", policy={"network": Retry(attempts=2, base=0)})
    def fails():
        write("run")
        raise ConnectionResetError("gone")

    @app.task(queue="tasks", bind=True)
    def ship(self, order, password=None):
        file = Path("NOTES_FILE").with_name(order)
        if not file.exists():
            raise PermanentError(f"{order} is unknown", kind="application.unknown_order")
        write(f"{order} {self.request.id} {self.request.delivery_info['priority']} attempt {self.attempt}")
"""


@pytest.fixture
def copy(running):
    copy, _ = running
    run(copy, "app.dead_letters.purge(all=True)")
    copy.notes_file.unlink(missing_ok=True)
    return copy


def run(copy, code):
    """Run code in a process of its own; return what its variable `told` holds in the end."""
    beginning = "import json\nfrom PACKAGE import app\nfrom PACKAGE.celery_tasks.ex1 import *\ntold = None"
    return json.loads(copy.run(f"{beginning}\n{code}\nprint(json.dumps(told))"))


def entries(copy):
    return run(copy, "told = [entry.as_dict() for entry in app.dead_letters.find()]")


def kept(worker, number=1):
    return lambda: worker.output()[worker.seen :].count("stored as a dead letter") >= number


def test_an_expiry_that_has_passed_does_not_expire_what_is_requeued(copy, worker):
    task_id = run(
        copy,
        """
from datetime import datetime, timedelta
told = ship.apply_async(("rye",), expires=datetime.utcnow() + timedelta(seconds=0.8)).id
""",
    )
    worker.wait_for(kept(worker))
    copy.notes_file.with_name("rye").touch()
    run(copy, f"time.sleep(0.8); app.dead_letters.requeue({task_id!r})")
    worker.wait_for(lambda: len(copy.notes()) == 1)


def test_who_requeues_and_waits_is_told_of_the_next_run(copy, worker):
    told = run(
        copy,
        """
result = ship.delay("late")
time.sleep(1)  # the failure is told before anybody waits for it
first = result.get(timeout=30, propagate=False)
Path("NOTES_FILE").with_name("late").touch()
app.dead_letters.requeue(result.id)
told = [str(first), str(app.AsyncResult(result.id).get(timeout=30, propagate=False))]
""".replace("NOTES_FILE", str(copy.notes_file)),
    )
    assert told == ["late is unknown", "None"]


def test_who_comes_too_late_to_requeue_leaves_the_result_alone(copy, worker):
    told = run(
        copy,
        """
task_id = ship.delay("barley").id
while app.AsyncResult(task_id).state != "FAILURE":  # which is told after the dead letter was kept
    time.sleep(0.05)
Path("NOTES_FILE").with_name("barley").touch()

from celery_runtime.dead_letters import DeadLetterFilter, requeue

with app.dead_letters.store.open() as reading:
    held = next(reading.find(DeadLetterFilter((task_id,))))
    if app.conf.broker_url.startswith("redis"):  # on RabbitMQ there is one reader at a time
        app.dead_letters.requeue(task_id)
        app.AsyncResult(task_id).get(timeout=30)
        late = reading.take(held, lambda producer: requeue.publish(app, held.load(), producer))
        told = [late, app.AsyncResult(task_id).state]
""",
    )
    assert told in (None, [False, "SUCCESS"])


@pytest.mark.parametrize("moment", ["before_task_publish", "after_task_publish"])
def test_a_requeue_that_is_killed_loses_nothing(copy, worker, moment):
    run(copy, "ship.delay('sugar')")
    worker.wait_for(kept(worker))
    before = entries(copy)
    with pytest.raises(AssertionError):
        run(
            copy,
            f"""
from celery import signals
signals.{moment}.connect(lambda **_: os.kill(os.getpid(), signal.SIGKILL), weak=False)
app.dead_letters.requeue(all=True)
""",
        )
    assert entries(copy) == before


def test_an_entry_that_comes_back_too_often_stays_unless_forced(copy, worker):
    task_id = run(copy, "told = fails.delay().id")
    worker.wait_for(kept(worker))
    for number in range(1, 4):
        run(copy, f"app.dead_letters.requeue({task_id!r})")
        worker.wait_for(kept(worker, number + 1))
    refused = run(copy, "told = app.dead_letters.requeue(all=True).refused")
    assert "it was requeued 3 times already" in refused[task_id]
    [entry] = entries(copy)
    assert (entry["requeues"], entry["attempts"]) == (3, 2)
    assert copy.notes() == ["run"] * 8  # two each time
    assert run(copy, "told = app.dead_letters.requeue(all=True, force=True).ids") == [task_id]


def test_the_oldest_go_first(copy, worker):
    found = run(
        copy,
        """
from dataclasses import replace
ship.delay("corn")
while not (kept := app.dead_letters.find()):
    time.sleep(0.05)
for number in range(5):
    moment = f"2026-01-0{number + 1}T00:00:00+00:00"
    app.conf.update(dead_letter_maximum=3, dead_letter_retention=10**10)
    app.dead_letters.add(replace(kept[0], id=str(number), last_failure=moment))
told = [[entry.id for entry in app.dead_letters.find()]]
app.dead_letters.store._looked_at_age = -1e9
app.conf.update(dead_letter_retention=1.0)
app.dead_letters.add(kept[0])
told.append(len(app.dead_letters.find()))
""",
    )
    assert len(found[0]) == 3
    assert "0" not in found[0]
    assert found[1] < 3
