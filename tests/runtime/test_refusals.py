"""A Redis that answers, but takes no writes for a while, in a failover or when it is full, ends no worker."""

import time

import pytest

from .crash_tasks import dead_letters, never_time_out, prepare, publish, take_long


@pytest.fixture
def ask(server):
    client = server.client()
    yield client.execute_command
    client.close()


@pytest.fixture
def project(copy, server):
    prepare(copy, server.url)
    never_time_out(copy)
    return copy


@pytest.mark.parametrize("tasks", [0, 1, 3])
def test_a_replica(project, ask, start, tasks):
    worker = start()
    publish(project, *["sleeper.delay(1)"] * tasks)
    worker.wait_for(lambda: bool(project.notes()) == bool(tasks))
    ask("REPLICAOF", "127.0.0.1", "1")
    worker.wait_for(lambda: "the worker waits for its broker" in worker.output())
    ask("REPLICAOF", "NO", "ONE")
    publish(project, "note.delay('next')")
    worker.wait_for(lambda: "next" in project.notes() and project.notes().count("ends") >= tasks)
    # What was done before is acknowledged now: it does not run again.
    assert sorted(project.notes()) == ["begins"] * tasks + ["ends"] * tasks + ["next"]
    worker.wait_for(lambda: ask("HLEN", f"{project.package}:unacked") == 0)
    assert worker.output().count("the worker waits for its broker") == 1
    assert "You can't write against a read only replica" in worker.output()
    assert "Unrecoverable" not in worker.output()
    assert dead_letters(project) == []


def test_no_room(project, server, ask, start):
    take_long(project)
    worker = start(CELERY_RESULT_BACKEND=server.url)  # as by default
    publish(project, *["sleeper.delay(0.2)"] * 10)
    worker.wait_for(project.notes)
    ask("CONFIG", "SET", "maxmemory", "1")
    worker.wait_for(lambda: "command not allowed when used memory" in worker.output())
    time.sleep(1)
    ask("CONFIG", "SET", "maxmemory", "0")
    worker.wait_for(lambda: project.notes().count("ends") >= 10)
    assert "Unrecoverable" not in worker.output()
    assert "dead letter" not in worker.output()
    assert dead_letters(project) == []


def test_a_worker_that_waits_for_writes_can_be_stopped(project, ask, start):
    worker = start()
    ask("REPLICAOF", "127.0.0.1", "1")
    worker.wait_for(lambda: "the worker waits for its broker" in worker.output())
    worker.process.terminate()
    assert worker.process.wait(timeout=60) == 0


def test_another_answer_still_ends_the_worker(project, ask, start):
    worker = start()
    ask("SET", f"{project.package}:tasks\x06\x165", "no list")
    assert worker.process.wait(timeout=60) != 0
    assert "WRONGTYPE" in worker.output()
