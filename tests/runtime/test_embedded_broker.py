import fcntl
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from celery_runtime.brokers import embedded
from celery_runtime.environment import ConfigurationError


@pytest.fixture
def server():
    with tempfile.TemporaryDirectory(prefix="celery-test-", dir=embedded.temporary_folder()) as folder:
        broker = embedded.EmbeddedBroker(Path(folder) / "broker")
        yield broker
        broker.stop()


def test_it_starts_once_and_stops(server):
    assert not server.is_running()
    assert server.start()
    assert server.is_running()
    assert not server.start()
    assert server.stop()
    assert not server.is_running()
    assert not server.stop()


START = """
import sys; from pathlib import Path; from celery_runtime.brokers.embedded import EmbeddedBroker
print(EmbeddedBroker(Path(sys.argv[1])).start())
"""


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who waits for a lock")
def test_of_many_that_start_it_at_once_one_does(server):
    server.directory.mkdir(mode=0o700)
    with (server.directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-c", START, str(server.directory)]
        starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        while not all(f"-> FLOCK  ADVISORY  WRITE {one.pid} " in Path("/proc/locks").read_text() for one in starters):
            assert not server.is_running()
            time.sleep(0.02)
    answers = [starter.communicate()[0].strip() for starter in starters]
    assert sorted(answers) == ["False", "False", "False", "True"]


def test_it_keeps_its_messages_when_it_is_stopped(server):
    server.start()
    server._client().lpush("list", "message")
    server.stop()
    server.start()
    assert server._client().llen("list") == 1


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="too deep"):
        embedded.EmbeddedBroker(tmp_path / ("x" * 100)).start()


def test_its_folder_is_private(server):
    server.start()
    assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("make", [lambda path: path.mkdir(mode=0o755), lambda path: path.symlink_to("/tmp")])
def test_a_folder_that_others_may_enter_or_a_link_is_refused(server, make):
    make(server.directory)
    with pytest.raises(ConfigurationError, match="open to others"):
        server.start()


@pytest.fixture
def stop_embedded_broker(copy):
    def stop():
        return copy.run("import runpy; runpy.run_module('celery_runtime.brokers.embedded', run_name='__main__')")

    yield stop
    stop()
    shutil.rmtree(copy.run("from celery_runtime.brokers.embedded import *; print(PROJECT_BROKER.directory)").strip())


def test_importing_the_project_starts_nothing(copy, tmp_path):
    code = """
        from celery_runtime.brokers.embedded import PROJECT_BROKER
        from PACKAGE import app
        print(app.conf.broker_url, PROJECT_BROKER.is_running())
    """
    development = {"APP_ENV": "development", "CELERY_BROKER_URL": "", "CELERY_RESULT_BACKEND": ""}
    url, running = copy.run(code, **development).split()
    assert url.startswith("redis+socket://")
    assert running == "False"


def test_a_worker_starts_it_says_so_and_leaves_it_to_stop(copy, start, stop_embedded_broker):
    development = {"APP_ENV": "development", "CELERY_BROKER_URL": "", "CELERY_RESULT_BACKEND": ""}
    copy.write_note_task("ex1_note.py")
    worker = start(**development)
    assert ": embedded Valkey in " in worker.output()
    copy.run("from PACKAGE.celery_tasks.ex1_note import note; note.delay('ran')", **development)
    worker.wait_for(lambda: copy.notes() == ["ran"])
    assert "was stopped" in stop_embedded_broker()
    assert "was not running" in stop_embedded_broker()


def test_without_it_a_publisher_is_told_what_to_do_at_once(copy):
    copy.write_note_task("ex1_note.py")
    code = """
        from celery_runtime.testing.clock import waited
        from PACKAGE.celery_tasks.ex1_note import note
        start = waited()
        try:
            note.delay("x")
        except Exception as error:
            print(error.__notes__[0], waited() - start < 5)
    """
    printed = copy.run(code, APP_ENV="development", CELERY_BROKER_URL="", CELERY_RESULT_BACKEND="")
    assert printed.startswith("The embedded broker is not running. A worker starts it: make worker. ")
    assert printed.strip().endswith("True")
