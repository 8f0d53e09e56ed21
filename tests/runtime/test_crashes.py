"""Processes and workers that are killed: nothing is lost, and what kills them again and again is stopped."""

import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .crash_tasks import dead_letters, prepare, publish


@pytest.fixture
def project(copy, broker_url):
    return prepare(copy, broker_url)


def test_what_kills_its_process_runs_five_times_in_all(project, start):
    hows = ["SIGKILL", "exit", "memory"]
    worker = start()
    publish(project, *(f"poison.delay({how!r})" for how in hows), "note.delay('innocent')")
    worker.wait_for(lambda: worker.output().count("stored as a dead letter") == 3)
    worker.wait_for(lambda: "innocent" in project.notes())
    assert {how: project.notes().count(how) for how in hows} == dict.fromkeys(hows, 5)
    entries = dead_letters(project)
    assert sorted(entry["kind"] for entry in entries) == ["worker.lost", "worker.lost", "worker.memory"]
    assert {entry["attempts"] for entry in entries} == {5}
    assert '"kind": "unexpected"' not in worker.output()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_what_eats_its_memory_gets_an_error(project, start):
    worker = start(CELERY_TASK_MEMORY_LIMIT="300")
    publish(project, "hungry.delay()")
    worker.wait_for(lambda: "stored as a dead letter" in worker.output())
    assert project.notes() == ["hungry"] * 2
    [entry] = dead_letters(project)
    assert (entry["kind"], entry["attempts"]) == ("worker.memory", 2)


def test_what_kills_its_whole_worker_is_stopped_and_its_neighbours_are_not(project, start):
    publish(project, "sleeper.delay(1)", "kills_its_worker.delay()")
    for _ in range(2):
        start(concurrency=2).process.wait(timeout=60)
    last = start(concurrency=2)
    last.wait_for(lambda: "ends" in project.notes())
    last.wait_for(lambda: "stored as a dead letter" in last.output())
    assert project.notes().count("kills") == 2
    [entry] = dead_letters(project)
    assert (entry["kind"], entry["attempts"]) == ("worker.lost", 2)


def test_the_tasks_of_a_worker_that_was_killed_run_again(project, start):
    publish(project, "sleeper.delay(1)")
    first = start()
    first.wait_for(lambda: "begins" in project.notes())
    first.process.kill()
    second = start()
    second.wait_for(lambda: "ends" in project.notes())
    assert project.notes() == ["begins", "begins", "ends"]


def test_a_worker_that_is_killed_takes_no_message_with_it(project, start):
    project.notes_file.touch()
    worker = start(concurrency=2)
    for number in range(3):
        killed = project.notes_file.with_name(f"killed {number}")
        calls = (
            "poison.delay('SIGKILL')",  # its process is replaced by one that has seen the connection
            "time.sleep(1); sleeper.delay(2)",  # keeps a process from ending with its worker
            f"note.delay('warm {number}')",
            f"while not Path({str(killed)!r}).exists(): time.sleep(0.001)",
            f"note.delay('next {number}')",
        )
        with ThreadPoolExecutor() as pool:
            published = pool.submit(publish, project, *calls)
            worker.wait_for(lambda number=number: f"warm {number}" in project.notes())
            time.sleep(0.5)  # now it waits for its next message
            worker.process.kill()
            worker.process.wait()
            killed.touch()
            published.result()
        worker = start(concurrency=2)
        worker.wait_for(lambda number=number: f"next {number}" in project.notes())


def test_a_worker_that_is_killed_while_it_waits_takes_no_message_with_it(project, start):
    worker = start()
    publish(project, "note.delay('first')")
    worker.wait_for(lambda: "first" in project.notes())
    worker.process.send_signal(signal.SIGSTOP)
    publish(project, "note.delay('next')")
    worker.process.kill()
    second = start()
    second.wait_for(lambda: "next" in project.notes())


KILLED_AT_ONCE = """
    import os
    import signal
    from pathlib import Path

    from kombu.transport import virtual

    FILE = Path("NOTES_FILE.kill")
    deliver = virtual.Transport._deliver

    def kill_or_deliver(self, *args):
        if FILE.exists():
            FILE.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        deliver(self, *args)

    virtual.Transport._deliver = kill_or_deliver
"""


# RabbitMQ knows by itself what it has sent.
@pytest.mark.parametrize("broker_url", ["embedded", "redis"], indirect=True)
def test_a_worker_that_is_killed_as_it_receives_a_message_does_not_lose_it(project, start):
    project.write("ex3_killed.py", KILLED_AT_ONCE)
    project.notes_file.with_name(f"{project.notes_file.name}.kill").touch()
    worker = start()
    publish(project, "note.delay('next')")
    assert worker.process.wait(timeout=60) == -signal.SIGKILL
    second = start()
    second.wait_for(lambda: "next" in project.notes())


# What asks a worker reads the answers from a list, and acknowledges none.
@pytest.mark.parametrize("broker_url", ["embedded", "redis"], indirect=True)
def test_an_answer_of_a_worker_is_not_noted_as_held(project, start):
    start()
    held = project.run(
        """
        from PACKAGE import app
        assert app.control.ping(timeout=1)  # it waits for so long
        with app.connection_for_write() as connection:
            channel = connection.default_channel
            with channel.conn_or_acquire() as client:
                print(client.hlen(channel.unacked_key))
        """
    )
    assert held.strip() == "0"
