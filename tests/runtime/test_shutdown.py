"""Workers that are told to stop: what runs ends, or goes back at once."""

import os
import signal
import sys
import time
import uuid
from pathlib import Path

import pytest

from celery_runtime.testing.worker import WorkerProcess

from .crash_tasks import dead_letters, give_back, lost_runs, prepare, publish, release, take_long


@pytest.fixture
def project(copy, broker_url):
    return prepare(copy, broker_url)


def test_a_sigterm_lets_a_short_task_end(project, start):
    publish(project, "sleeper.delay(1)")
    worker = start()
    worker.wait_for(lambda: "begins" in project.notes())
    worker.process.terminate()
    assert worker.process.wait(timeout=60) == 0
    assert project.notes() == ["begins", "ends"]
    second = start()
    publish(project, "note.delay('next')")
    second.wait_for(lambda: "next" in project.notes())
    assert project.notes() == ["begins", "ends", "next"]


# Some supervisors send it to the whole process group.
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_sigterm_gives_a_long_task_back_at_once(project, start, send):
    take_long(project)  # so it does not come back by itself
    publish(project, "long_at_first.delay()")
    worker = start(CELERY_SOFT_SHUTDOWN_TIMEOUT="1")
    worker.wait_for(lambda: "begins" in project.notes())
    send(worker.process.pid, signal.SIGTERM)
    assert worker.process.wait(timeout=60) == 0
    assert '"kind": "unexpected"' not in worker.output()
    second = start()
    second.wait_for(lambda: project.notes().count("begins") == 2)
    second.wait_for(lambda: "ends" in project.notes())
    assert project.notes() == ["begins", "begins", "ends"]
    assert dead_letters(project) == []


INTERRUPTED_STOP = """
    import os
    import signal
    from celery import signals

    @signals.worker_shutting_down.connect
    def tell(**_): ...

    def look_and_be_interrupted():
        del signals.worker_shutting_down._clear_dead_receivers
        os.kill(os.getpid(), signal.SIGQUIT)

    signals.worker_shutting_down._clear_dead_receivers = look_and_be_interrupted
"""


def test_a_signal_in_the_middle_of_another_does_not_hang_the_worker(project, start):
    project.write("ex3_interrupted_stop.py", INTERRUPTED_STOP)
    worker = start()
    worker.process.send_signal(signal.SIGINT)
    worker.process.wait(timeout=60)
    assert "worker: stops" in worker.output()
    assert "worker: Cold shutdown" in worker.output()
    assert "worker: ends now" not in worker.output()  # by force, as its stop hangs


def test_ctrl_c_lets_what_runs_end_also_where_it_is_passed_on(project, start):
    take_long(project)
    publish(project, "sleeper.delay(1.5)")
    worker = start()
    worker.wait_for(lambda: "begins" in project.notes())
    for _ in range(3):
        worker.process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    assert worker.process.wait(timeout=60) == 0
    assert project.notes() == ["begins", "ends"]


# Each with the seconds to the next one. Ctrl+C goes to all that runs in a terminal.
STOPS = {
    "two Ctrl+C": [(os.killpg, signal.SIGINT, 1.1), (os.killpg, signal.SIGINT, 0)],
    "SIGQUIT": [(os.kill, signal.SIGQUIT, 0)],
    "SIGQUIT to all": [(os.killpg, signal.SIGQUIT, 0)],
    "two SIGTERM": [(os.kill, signal.SIGTERM, 0.2), (os.kill, signal.SIGTERM, 0)],
}


@pytest.mark.parametrize(
    ("pool", "stop"),
    [("prefork", stop) for stop in STOPS if stop != "SIGQUIT"]
    + [(pool, stop) for pool in ("threads", "solo") for stop in ("two Ctrl+C", "SIGQUIT")],
)
def test_a_stop_gives_back_what_runs(project, start, pool, stop):
    take_long(project)
    publish(project, "long_at_first.apply_async(task_id='one')")
    give_back(project)  # or the run would not be noted
    project.configure(worker_exit_timeout=2.0)
    worker = start("--pool", pool, CELERY_SOFT_SHUTDOWN_TIMEOUT="1")
    worker.wait_for(lambda: "begins" in project.notes())
    for send, number, seconds in STOPS[stop]:
        send(worker.process.pid, number)
        time.sleep(seconds)
    worker.process.wait(timeout=20)
    assert project.notes() == ["begins"]
    second = start()
    second.wait_for(lambda: "ends" in project.notes())
    assert project.notes() == ["begins", "begins", "ends"]
    assert dead_letters(project) == []
    second.wait_for(lambda: lost_runs(project, "one") == 0)


@pytest.mark.parametrize(("pool", "state"), [("prefork", "REVOKED"), ("threads", "SUCCESS"), ("solo", "SUCCESS")])
def test_a_task_that_is_revoked_while_it_runs_succeeds_only_where_it_has_ended(project, start, pool, state):
    take_long(project)
    task_id = str(uuid.uuid4())  # results may be on a server that other tests share
    publish(project, f"held.apply_async(task_id='{task_id}')")
    worker = start("--pool", pool)
    worker.wait_for(lambda: "begins" in project.notes())
    project.run(f"from PACKAGE import app; app.control.revoke('{task_id}', terminate=True)")
    if pool != "prefork":  # what runs in a thread cannot be ended
        release(project)
    asked = f"import time\nfrom PACKAGE import app\nresult = app.AsyncResult('{task_id}')\n"
    told = project.run(f"{asked}while not result.ready(): time.sleep(0.1)\nprint(result.state)")
    assert told.strip() == state
    assert ("ends" in project.notes()) == (state == "SUCCESS")


def test_a_task_that_is_revoked_by_the_signal_of_the_soft_limit_cleans_up_and_is_no_failure(project, start):
    take_long(project)
    worker = start()
    for number in (1, 2):  # the process of the first lives on
        task_id = str(uuid.uuid4())
        publish(project, f"cleans_up.apply_async(task_id='{task_id}')")
        worker.wait_for(lambda number=number: len(project.notes()) == 2 * number - 1)
        project.run(f"from PACKAGE import app; app.control.revoke('{task_id}', terminate=True, signal='SIGUSR1')")
        worker.wait_for(lambda number=number: len(project.notes()) == 2 * number)
    publish(project, "note.delay('next')")
    worker.wait_for(lambda: "next" in project.notes())
    begins = project.notes()[0]
    assert project.notes() == [begins, "cleans up"] * 2 + ["next"]
    assert project.run(f"from PACKAGE import app; print(app.AsyncResult('{task_id}').state)").strip() == "REVOKED"
    assert dead_letters(project) == []


def test_a_task_that_begins_just_as_another_is_revoked_runs_again(project, start):
    take_long(project)
    publish(project, "cleans_up.delay()")
    worker = start()
    worker.wait_for(lambda: project.notes())
    os.kill(int(project.notes()[0].removeprefix("begins ")), signal.SIGUSR2)  # as if its process had run the other
    worker.wait_for(lambda: len(project.notes()) == 3)
    assert project.notes()[1:] == ["cleans up", project.notes()[0]]
    assert dead_letters(project) == []


def test_a_worker_that_never_reached_its_broker_stops(copy):
    environment = {**copy.environment, "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
    worker = WorkerProcess(copy.package, copy.root / "worker.log", environment=environment)
    worker.launch()
    try:
        worker.wait_for(lambda: "waits for its broker" in worker.output())
        worker.stop_gently()
    finally:
        worker.stop()
    assert worker.process.returncode == 0
    assert "Error in timer" not in worker.output()


def test_a_sigterm_after_ctrl_c_bounds_the_time(project, start):
    take_long(project)
    publish(project, "sleeper.delay(30)")
    worker = start(CELERY_SOFT_SHUTDOWN_TIMEOUT="1")
    worker.wait_for(lambda: "begins" in project.notes())
    worker.process.send_signal(signal.SIGINT)
    worker.process.terminate()
    assert worker.process.wait(timeout=60) == 0
    assert "running tasks may end within 1 s" in worker.output()
    assert "time limit" not in worker.output()


@pytest.mark.parametrize("numbers", [(signal.SIGHUP, signal.SIGTERM), (signal.SIGTERM, signal.SIGHUP)])
def test_a_worker_that_is_to_stop_does_not_start_anew(project, tmp_path, numbers):
    publish(project, "sleeper.delay(1)")
    worker = WorkerProcess(project.package, tmp_path / "worker.log", environment=project.environment)
    # The command, which SIGHUP starts anew; `python -m celery` it could not.
    worker.command[:3] = [str(Path(sys.executable).with_name("celery"))]
    with worker:
        worker.wait_for(lambda: "begins" in project.notes())
        for number in numbers:
            worker.process.send_signal(number)
            time.sleep(0.1)
        worker.process.wait(timeout=60)
    assert worker.output().count(" ready.") == 1


def test_a_task_that_is_acknowledged_early_is_a_dead_letter_when_it_is_interrupted(project, start):
    take_long(project)
    publish(project, "early.apply_async((30,), task_id='early')")
    worker = start(CELERY_SOFT_SHUTDOWN_TIMEOUT="1")
    worker.wait_for(lambda: "early" in project.notes())
    worker.process.terminate()
    assert worker.process.wait(timeout=60) == 0
    assert [entry["kind"] for entry in dead_letters(project)] == ["worker.lost"]
    assert project.run("from PACKAGE import app; print(app.AsyncResult('early').state)").strip() == "FAILURE"


def test_a_thread_that_is_interrupted_counts_for_nothing_and_its_task_runs_again(project, start):
    take_long(project)
    publish(project, "long_at_first.apply_async(task_id='one')")
    give_back(project)  # or the run would not be noted
    project.configure(worker_exit_timeout=0.1)
    worker = start("--pool", "threads", CELERY_SOFT_SHUTDOWN_TIMEOUT="1")
    worker.wait_for(lambda: "begins" in project.notes())
    worker.process.terminate()
    worker.process.wait(timeout=60)
    assert project.notes() == ["begins"]
    assert lost_runs(project, "one") == 0
    second = start()
    second.wait_for(lambda: "ends" in project.notes())
    assert project.notes() == ["begins", "begins", "ends"]
