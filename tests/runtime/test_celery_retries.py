"""What a task asks of Celery itself keeps its meaning beside the policy."""

import pytest

from .lending import running_copy

TASKS = """
    import os
    from pathlib import Path

    from PACKAGE.celery_config import app
    from celery_runtime import Retry

    OFTEN = {"network": Retry(attempts=6, base=0)}

    def write(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")

    @app.task(queue="tasks", policy=OFTEN, autoretry_for=(ConnectionError,), max_retries=1, default_retry_delay=0)
    def autoretried():
        write("run")
        raise ConnectionResetError

    @app.task(
        queue="tasks", policy=OFTEN, autoretry_for=(Exception,), dont_autoretry_for=(ConnectionError,), max_retries=9
    )
    def not_autoretried():
        write("run")
        raise ConnectionResetError

    @app.task(queue="tasks", policy=OFTEN, bind=True)
    def retrying(self, most=None):
        write(f"run {self.request.retries}")
        try:
            raise ConnectionResetError
        except ConnectionResetError as error:
            raise self.retry(exc=error, countdown=0, max_retries=most)

    @app.task(queue="tasks", policy=OFTEN, bind=True, autoretry_for=(ConnectionError,), default_retry_delay=0)
    def both(self, most=None):
        write("run")
        try:
            raise ConnectionResetError
        except ConnectionResetError as error:
            if most is None:
                raise
            raise self.retry(exc=error, countdown=0, max_retries=most)

    @app.task(queue="tasks", policy=OFTEN, max_retries=2)
    def limited():
        write("run")
        raise ConnectionResetError

    @app.task(queue="tasks", policy=OFTEN, bind=True)
    def policy_then_retry(self):
        write(f"attempt {self.attempt}, retries {self.request.retries}")
        if self.attempt < 4:
            raise ConnectionResetError
        raise self.retry(countdown=0, max_retries=1)

    @app.task(queue="tasks", policy=OFTEN, bind=True)
    def calls_itself(self, depth=0):
        write(f"depth {depth}")
        if depth == 1:
            raise ConnectionResetError
        try:
            return self(1)
        except ConnectionResetError:
            write("caught")

    @app.task(queue="tasks", policy=OFTEN, bind=True)
    def has_attributes_of_its_own(self):
        self.attempt = getattr(self, "runs", 0) + 1
        self.policy = self.next_run = self.delay_of_next_run = {"network": "eth0"}
        self.runs = self.attempt
        write(f"run {self.attempt}")
        if self.attempt < 3:
            raise ConnectionResetError

    @app.task(queue="tasks", policy=OFTEN, bind=True)
    def cut_off(self):
        "Lose the way to the broker, but only to publish, in the first run."
        write(f"run, redelivered {self.request.delivery_info['redelivered']}")
        if not self.request.delivery_info["redelivered"]:
            app.amqp._producer_pool = None
            app.conf.broker_write_url = "redis://127.0.0.1:1/0"
            raise ConnectionResetError
        os._exit(0)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_copy("embedded", tmp_path_factory.mktemp("celery-retries"), TASKS) as lent:
        yield lent


@pytest.fixture
def notes_of(running):
    """Runs a task to its end, and returns what it wrote: `notes_of("limited.delay()")`."""
    copy, _ = running

    def run(code):
        copy.notes_file.unlink(missing_ok=True)
        copy.run(f"from PACKAGE.celery_tasks.ex1 import *\n{code}.get(timeout=30, propagate=False)")
        return copy.notes()

    return run


def test_what_celery_retries_is_not_retried_again(notes_of):
    assert notes_of("autoretried.delay()") == ["run"] * 2


def test_what_celery_was_told_not_to_retry_is_not_retried(notes_of):
    assert notes_of("not_autoretried.delay()") == ["run"]


def test_a_retry_in_a_task_ends_where_it_says(notes_of):
    assert notes_of("retrying.delay(2)") == ["run 0", "run 1", "run 2"]
    assert notes_of("retrying.delay()") == ["run 0", "run 1", "run 2", "run 3"]


def test_both_together_are_not_multiplied(notes_of):
    assert notes_of("both.delay(1)") == ["run"] * 2
    # Celery keeps that 1 on the task; the next message must not find it.
    assert notes_of("both.delay()") == ["run"] * 4


def test_max_retries_of_a_task_bounds_the_policy_too(notes_of):
    assert notes_of("limited.delay()") == ["run"] * 3


def test_runs_of_the_policy_are_none_of_celerys_retries(notes_of):
    assert notes_of("policy_then_retry.delay()") == [
        "attempt 1, retries 0",
        "attempt 2, retries 0",
        "attempt 3, retries 0",
        "attempt 4, retries 0",
        "attempt 5, retries 1",
    ]


def test_a_task_that_is_called_as_a_function_has_no_policy(notes_of):
    assert notes_of("calls_itself.delay()") == ["depth 0", "depth 1", "caught"]


def test_attributes_of_a_task_may_have_any_name(notes_of):
    assert notes_of("has_attributes_of_its_own.delay()") == ["run 1", "run 2", "run 3"]


def test_eager_mode_has_no_policy(running):
    copy, _ = running
    copy.notes_file.unlink(missing_ok=True)
    copy.run("from PACKAGE.celery_tasks.ex1 import *\nassert limited.apply().failed()")
    assert copy.notes() == ["run"]


def test_what_cannot_be_published_goes_back_to_its_queue(running):
    copy, worker = running
    copy.notes_file.unlink(missing_ok=True)
    copy.run("from PACKAGE.celery_tasks.ex1 import *\ncut_off.delay()")
    worker.wait_for(lambda: len(copy.notes()) == 2)
    assert copy.notes() == ["run, redelivered False", "run, redelivered True"]
    assert "the broker did not take the next run" in worker.output()
