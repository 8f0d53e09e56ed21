"""The pytest plugin, as a project uses it: each test finds empty queues, and a failure shows a page and not a log."""

import os
import subprocess
import sys

import pytest

SETTINGS = """
[pytest]
celery_app = "shop"
celery_include = ["mine.jobs"]
addopts = ["-ra", "--tb=short"]
filterwarnings = ["ignore:\\\\s*The '(queue|priority)' task attribute is deprecated"]
"""
JOBS = """
import os
import signal
import time
import urllib.request

from shop import app

@app.task(queue="tasks")
def add(x, y):
    return x + y

@app.task(queue="tasks", ignore_result=True)
def sleep(seconds):
    time.sleep(seconds)

@app.task(queue="tasks")
def end_worker():
    os.kill(os.getppid(), signal.SIGTERM)

@app.task(queue="tasks")
def charge():
    return urllib.request.urlopen(os.environ["PAYMENT_URL"]).status
"""
LEAVING_WORK_BEHIND = """
import time
import pytest
from shop import app
from mine.jobs import add, sleep

@pytest.mark.parametrize("number", range(2))
def test_leaves_work_behind(worker, number):
    assert not app.dead_letters.count()
    sleep.delay(60)
    for _ in range(20):
        add.apply_async((1, 2), priority=9)
        add.apply_async((1, 2), countdown=1)
    app.send_task("nobody.wrote_it", priority=9)
    worker.wait_for(lambda: "mine.jobs.sleep" in worker.output()[worker.seen:], timeout=10)

def test_stops_the_worker(worker):
    worker.stop()

def test_finds_empty_queues(worker):
    assert add.delay(1, 2).get(timeout=5) == 3
    time.sleep(1.5)  # the countdown of what was left behind
    assert worker.output()[worker.seen:].count("received") == 1
"""
WITH_A_SERVICE = """
import os
import pytest
from celery_runtime.testing.http import AnsweringServer
from mine.jobs import add, charge, sleep

def test_a_service_whose_url_comes_from_settings(worker):
    with AnsweringServer(200) as bank:
        worker.restart(PAYMENT_URL=bank.url)
        assert charge.delay().get(timeout=10) == 200

def test_the_next_has_no_such_variable(worker):
    assert "PAYMENT_URL" not in worker.environment
    with pytest.raises(KeyError):
        charge.delay().get(timeout=10)

def test_a_result_that_is_ignored_is_there_at_once(worker):
    assert sleep.delay(0.5).get(timeout=0.4) is None
"""
FAILING = {
    "an assertion": "assert add.delay(1, 2).get(timeout=5) == 4",
    "no result in time": "sleep.delay(9); add.delay(1, 2).get(timeout=1)",
    "a task that fails": "add.delay(1, 'two').get(timeout=5)",
    "nothing happens": "[add.delay(1, 2).get(timeout=5) for _ in range(30)]; worker.wait_for(lambda: False, timeout=1)",
}


@pytest.fixture
def run(tmp_path):
    """Run tests in a folder of their own; return the exit status and what is printed."""
    (tmp_path / "pytest.toml").write_text(SETTINGS)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["celery_runtime.testing"]\n')
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/__init__.py").touch()
    (tmp_path / "mine/jobs.py").write_text(JOBS)

    def run_tests(source):
        (tmp_path / "test_mine.py").write_text(source)
        environment = {name: one for name, one in os.environ.items() if not name.startswith("PYTEST_")}
        environment["CI"] = "true"  # then pytest cuts no line of its summary
        environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    return run_tests


@pytest.mark.parametrize("source", [LEAVING_WORK_BEHIND, WITH_A_SERVICE], ids=["work left behind", "a service"])
def test_no_test_meets_what_another_has_left(run, source):
    status, printed = run(source)
    assert status == 0, printed


def test_a_worker_that_ends_by_itself_is_told(run):
    jobs = "import os, time\nfrom mine.jobs import end_worker"
    test = "def test_it(worker):\n    end_worker.delay()\n    time.sleep(3)\n\ndef test_next(worker): ..."
    status, printed = run(f"{jobs}\n\n{test}\n")
    assert status == 1, printed
    assert "the worker has ended by itself, with 0" in printed


@pytest.mark.parametrize("case", FAILING)
def test_a_failure_shows_forty_lines_at_most(run, case):
    status, printed = run(f"from mine.jobs import add, sleep\n\ndef test_it(worker):\n    {FAILING[case]}\n")
    assert status == 1, printed
    assert len(printed.splitlines()) <= 40, printed
    assert "received" in printed  # the log of the worker
    assert "test_mine.py:4" in printed
