"""A worker renews what it has of a Redis: a task may take much longer than the visibility timeout."""

import signal
import time

import pytest

from .crash_tasks import prepare, publish, release

TIMEOUT = 2
SKEWED = """
    import time

    from kombu.transport import redis

    now = time.time
    time.time = redis.time = lambda: now() + {seconds}
"""

pytestmark = pytest.mark.parametrize("broker_url", ["embedded", "redis"], indirect=True)


@pytest.fixture
def project(copy, broker_url):
    project = prepare(copy, broker_url)
    options = {"visibility_timeout": TIMEOUT, "unacked_restore_interval": 0.5}
    project.configure(broker_transport_options=options)
    project.environment.update(CELERY_TASK_TIME_LIMIT="3600", CELERY_TASK_SOFT_TIME_LIMIT="3000")
    return project


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_task_that_outlasts_its_lease_runs_once(project, start, pool):
    workers = [start(f"--pool={pool}"), start(f"--pool={pool}")]
    publish(project, "held.delay()")
    workers[0].wait_for(lambda: "begins" in project.notes())
    time.sleep(4 * TIMEOUT)
    release(project)
    workers[0].wait_for(lambda: "ends" in project.notes())
    time.sleep(2 * TIMEOUT)
    assert project.notes() == ["begins", "ends"]


def test_the_tasks_of_a_killed_worker_run_again_soon_whatever_their_time_limit(project, start):
    worker = start()
    publish(project, "held.delay()")
    worker.wait_for(lambda: "begins" in project.notes())
    worker.process.send_signal(signal.SIGKILL)
    release(project)
    start().wait_for(lambda: project.notes().count("ends") >= 1, timeout=TIMEOUT + 20)


@pytest.mark.parametrize("seconds", [-1000, 1000])
def test_workers_whose_clocks_differ_take_nothing_from_each_other(project, start, seconds):
    first = start()
    publish(project, "held.delay()")
    first.wait_for(lambda: "begins" in project.notes())
    project.write("ex3_skewed.py", SKEWED.format(seconds=seconds))
    second = start()
    publish(project, "held.delay()")
    second.wait_for(lambda: project.notes().count("begins") == 2)
    time.sleep(3 * TIMEOUT)
    release(project)
    second.wait_for(lambda: project.notes().count("ends") == 2)
    time.sleep(2 * TIMEOUT)
    assert sorted(project.notes()) == ["begins", "begins", "ends", "ends"]


def test_a_server_that_is_away_for_long_makes_nothing_run_twice(project, start, server):
    project.environment["CELERY_BROKER_URL"] = server.url
    workers = [start(), start()]
    publish(project, "held.delay()")
    workers[0].wait_for(lambda: "begins" in project.notes())
    server.kill()
    for worker in workers:
        worker.wait_for(lambda worker=worker: "waits for its broker" in worker.output())
    time.sleep(2 * TIMEOUT)
    server.start()
    for worker in workers:
        worker.wait_for(lambda worker=worker: "the broker is back" in worker.output())
    time.sleep(3 * TIMEOUT)
    release(project)
    workers[0].wait_for(lambda: "ends" in project.notes())
    time.sleep(TIMEOUT)
    assert project.notes() == ["begins", "ends"]
