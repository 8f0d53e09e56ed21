"""Workers that lose their broker for a while: what ran has its end, once, and is no failure."""

import os
import signal
import time

import pytest

from celery_runtime.testing.worker import WorkerProcess

from .crash_tasks import dead_letters, never_time_out, prepare, publish, release, take_long
from .line import Line

FAILING = """
    import time
    from pathlib import Path

    from PACKAGE.celery_config import app
    from PACKAGE.celery_tasks.ex1 import write

    @app.task(queue="tasks")
    def failing():
        write("begins")
        while not Path("NOTES_FILE.released").exists():
            time.sleep(0.02)
        raise ValueError("of no use")
"""
STUBBORN = """
    import os
    import signal
    import time

    from PACKAGE.celery_config import app
    from PACKAGE.celery_tasks.ex1 import write

    @app.task(queue="tasks", bind=True)
    def stubborn(self):
        if self.request.delivery_info["redelivered"]:
            return write("ends")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        write(str(os.getpid()))
        time.sleep(60)
"""


# What Celery's own steps do now and then.
LISTENER = """
    from celery.bootsteps import ConsumerStep
    from PACKAGE.celery_config import app

    class Gone:
        channel = None

        def consume(self): ...

        def cancel(self):
            raise ConnectionError("the server is away")

    class Listener(ConsumerStep):
        def get_consumers(self, channel):
            return [Gone()]

    app.steps["consumer"].add(Listener)
"""


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def line(broker_url):
    with Line(broker_url) as line:
        yield line


@pytest.fixture
def project(copy, line):
    prepare(copy, line.url)
    if line.url.startswith("redis") and "CELERY_RESULT_BACKEND" in os.environ:
        copy.environment["CELERY_RESULT_BACKEND"] = line.url  # as by default
    return copy


# RabbitMQ hands out everything anew, so there a worker stops what it runs.
@pytest.mark.parametrize("broker_url", ["embedded", "redis"], indirect=True)
def test_a_connection_that_is_lost_has_nothing_run_twice(project, line, start):
    take_long(project)
    publish(project, "sleeper.delay(3)")
    worker = start(concurrency=2)  # or it would read nothing meanwhile, and not notice
    worker.wait_for(lambda: "begins" in project.notes())
    line.cut()
    line.mend()
    worker.wait_for(lambda: worker.output().count("Connected to") == 2)
    worker.wait_for(lambda: "ends" in project.notes())
    publish(project, "note.delay('next')")
    worker.wait_for(lambda: "next" in project.notes())
    assert project.notes() == ["begins", "ends", "next"]


def test_a_worker_that_waits_for_its_broker_stops_without_a_traceback(line, project, start):
    project.write("ex3_listener.py", LISTENER)
    worker = start()
    line.cut()
    worker.wait_for(lambda: "the worker waits for its broker" in worker.output())
    worker.process.terminate()
    assert worker.process.wait(timeout=60) == 0
    assert "Traceback" not in worker.output()
    line.mend()


def test_a_task_that_fails_while_its_broker_is_away_is_a_dead_letter(project, line, start):
    project.write("ex3_failing.py", FAILING)
    if line.url.startswith("redis"):
        never_time_out(project)  # or it would run again
    project.run("from PACKAGE.celery_tasks.ex3_failing import failing; failing.apply_async(task_id='one')")
    worker = start(concurrency=2)
    worker.wait_for(lambda: "begins" in project.notes())
    line.cut()
    release(project)
    time.sleep(4)
    line.mend()
    worker.wait_for(lambda: "the broker is back" in worker.output())
    worker.wait_for(lambda: "stored as a dead letter" in worker.output())
    [entry] = dead_letters(project)
    assert (entry["id"], entry["message"]) == ("one", "of no use")


def test_a_task_that_ends_while_its_worker_stands_still_is_no_failure(project, start):
    publish(project, "held.delay()")
    worker = start()
    worker.wait_for(lambda: "begins" in project.notes())
    worker.process.send_signal(signal.SIGSTOP)
    release(project)
    time.sleep(4)  # longer than its limits
    worker.process.send_signal(signal.SIGCONT)
    publish(project, "note.delay('next')")
    worker.wait_for(lambda: "next" in project.notes())
    assert dead_letters(project) == []
    assert "time limit" not in worker.output()


def test_tasks_that_end_while_their_broker_is_away_are_no_failures(project, line, start):
    publish(project, "held.delay()", "held.apply_async(time_limit=1.9)")
    worker = start(concurrency=2)
    worker.wait_for(lambda: project.notes() == ["begins", "begins"])
    line.cut()
    release(project)
    time.sleep(4)  # longer than their limits
    line.mend()
    worker.wait_for(lambda: "the broker is back" in worker.output())
    worker.wait_for(lambda: project.notes().count("ends") >= 2)  # one may end before it is stopped, and again
    publish(project, "note.delay('next')")
    worker.wait_for(lambda: "next" in project.notes())
    assert dead_letters(project) == []
    assert "time limit" not in worker.output()


@pytest.mark.parametrize("broker_url", ["rabbitmq"], indirect=True)
def test_a_task_that_does_not_heed_that_it_is_stopped_is_no_failure(project, line, start):
    project.write("ex3.py", STUBBORN)
    worker = start(concurrency=2)
    project.run("from PACKAGE.celery_tasks.ex3 import stubborn; stubborn.delay()")
    worker.wait_for(project.notes)
    process = int(project.notes()[0])
    line.cut()
    line.mend()
    worker.wait_for(lambda: "ends" in project.notes())
    worker.wait_for(lambda: not is_alive(process))
    publish(project, "note.delay('next')")
    worker.wait_for(lambda: "next" in project.notes())
    assert dead_letters(project) == []


def test_a_worker_that_is_stopped_while_its_broker_is_away_loses_nothing(project, line, start):
    publish(project, "held.delay()")
    worker = start(concurrency=2)
    worker.wait_for(lambda: project.notes() == ["begins"])
    line.cut()
    release(project)
    worker.wait_for(lambda: "waits for its broker" in worker.output())
    worker.process.terminate()
    time.sleep(1)
    line.mend()
    assert worker.process.wait(timeout=60) == 0
    second = start()
    publish(project, "note.delay('next')")
    second.wait_for(lambda: {"ends", "next"} <= set(project.notes()))
    assert dead_letters(project) == []


@pytest.mark.parametrize("broker_url", ["embedded", "redis"], indirect=True)
def test_what_a_worker_holds_as_it_loses_redis_is_given_back_at_once(project, line, tmp_path):
    never_time_out(project)
    worker = WorkerProcess(project.package, tmp_path / "worker.log", environment=project.environment)
    worker.command.remove("--without-gossip")  # Celery closes more connections then, in another order
    with worker:
        publish(project, "limited.delay('first')", "limited.delay('later')")
        worker.wait_for(lambda: worker.output().count(" received") == 2)
        line.cut()
        worker.wait_for(lambda: "waits for its broker" in worker.output())
        line.mend()
        worker.wait_for(lambda: "later" in project.notes())
    assert project.notes() == ["first", "later"]
    assert '"level": "critical"' not in worker.output()


@pytest.mark.parametrize("broker_url", ["embedded", "redis"], indirect=True)
def test_a_lost_connection_takes_no_message_from_another_worker(project, broker_url, line, start):
    one = start(CELERY_BROKER_URL=broker_url)
    one.process.send_signal(signal.SIGSTOP)  # so that the other takes it
    other = start("--tasks", "ex2*")
    publish(project, "sleeper.delay(1.5)")
    other.wait_for(lambda: "not selected" in other.output())
    one.process.send_signal(signal.SIGCONT)
    line.cut()
    line.mend()
    one.wait_for(lambda: "begins" in project.notes())
    one.wait_for(lambda: "ends" in project.notes())
    time.sleep(1)  # for a second run to begin
    assert project.notes() == ["begins", "ends"]
    assert "Error in timer" not in other.output()


@pytest.mark.parametrize("broker_url", ["embedded", "redis"], indirect=True)
def test_the_next_step_of_a_chain_waits_for_redis(project, line, start):
    if results := os.environ.get("CELERY_RESULT_BACKEND"):
        project.environment["CELERY_RESULT_BACKEND"] = results  # else the step before would wait for these
    never_time_out(project)
    publish(project, "(held.si() | note.si('next')).delay()")
    worker = start()
    worker.wait_for(lambda: "begins" in project.notes())
    line.cut()
    release(project)
    time.sleep(6)
    line.mend()
    worker.wait_for(lambda: "next" in project.notes())
    assert project.notes() == ["begins", "ends", "next"]
    assert dead_letters(project) == []
