"""What was lost with its worker: it runs alone, and what merely came back is not taken for it."""

import os
import signal
from types import SimpleNamespace

import pytest
from redis.exceptions import ReadOnlyError

from celery_runtime.worker.consumer import Consumer

from .crash_tasks import dead_letters, give_back, lost_runs, prepare, publish, take_long


@pytest.fixture
def project(copy, broker_url):
    return prepare(copy, broker_url)


def publish_as_lost_twice(project, call, number=1):
    """Publish a task so often, each as if its worker had been lost in its first two runs."""
    project.run(
        f"""
        from PACKAGE import app
        from celery_runtime.brokers import broker_of
        from PACKAGE.celery_tasks.ex1 import *
        broker = broker_of(app)
        for number in range({number}):
            id = {call}.id
            broker.count_crashes(id)
            broker.note_run(id)
        """
    )
    give_back(project, number)


def test_a_task_that_was_lost_twice_runs_alone(project, start):
    publish_as_lost_twice(project, "sleeper.apply_async((1,), priority=1)")
    worker = start(concurrency=2)
    worker.wait_for(lambda: "begins" in project.notes())
    publish(project, "note.delay('neighbour')")
    worker.wait_for(lambda: "neighbour" in project.notes())
    assert "it runs alone" in worker.output()
    assert project.notes() == ["begins", "ends", "neighbour"]


def test_a_task_with_a_base_of_its_own_that_was_lost_twice_runs_once_more(project, start):
    publish_as_lost_twice(project, "has_a_base_of_its_own.delay()")
    worker = start()
    worker.wait_for(lambda: "own base" in project.notes())
    assert dead_letters(project) == []


def test_tasks_that_were_lost_twice_run_one_after_another_and_all_of_them_do(project, start):
    publish_as_lost_twice(project, "sleeper.delay(0.2)", 4)
    worker = start(concurrency=3)
    worker.wait_for(lambda: project.notes().count("ends") == 4)
    assert project.notes() == ["begins", "ends"] * 4


def test_tasks_that_were_lost_twice_and_wait_for_a_process_all_run(project, start):
    publish_as_lost_twice(project, "sleeper.apply_async((0.2,), priority=1)", 2)
    # What is acknowledged early leaves the worker room to take more than it has processes for.
    publish(project, *["early.apply_async(priority=9)"] * 2)
    worker = start(concurrency=2)
    worker.wait_for(lambda: project.notes().count("ends") == 2)
    assert project.notes() == ["early"] * 2 + ["begins", "ends"] * 2


def test_to_be_delivered_again_and_again_is_no_guilt(project, start):
    publish(project, "note.delay('innocent')")
    give_back(project, times=10)
    worker = start()
    worker.wait_for(lambda: "innocent" in project.notes())
    assert dead_letters(project) == []


def test_a_pool_without_processes_runs_what_was_redelivered(project, start):
    publish(project, *(f"note.delay('{number}')" for number in range(4)))
    give_back(project, number=4)
    worker = start("--pool", "solo")
    worker.wait_for(lambda: len(project.notes()) == 4)


def test_a_run_that_has_ended_is_no_lost_one(project, start):
    publish(project, "note.apply_async(('innocent',), task_id='given back')")
    give_back(project)
    worker = start()
    worker.wait_for(lambda: "innocent" in project.notes())
    worker.wait_for(lambda: lost_runs(project, "given back") == 0)


def test_a_task_that_deploys_have_interrupted_is_no_lost_one(project, start):
    take_long(project)
    publish(project, "sleeper.apply_async((30,), task_id='interrupted')")
    for number in range(1, 3):
        worker = start(CELERY_SOFT_SHUTDOWN_TIMEOUT="1")
        worker.wait_for(lambda number=number: project.notes().count("begins") == number)
        os.killpg(worker.process.pid, signal.SIGTERM)
        assert worker.process.wait(timeout=60) == 0
    assert lost_runs(project, "interrupted") == 0


def test_a_refusal_for_now_is_not_the_fault_of_the_message():
    rejected = []
    consumer = SimpleNamespace(
        controller=SimpleNamespace(semaphore=None), connection_errors=(), _reject=rejected.append
    )
    with pytest.raises(ReadOnlyError), Consumer._guarding(consumer, None):
        raise ReadOnlyError("You can't write against a read only replica.")
    assert rejected == []
