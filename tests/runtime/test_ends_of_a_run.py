"""A test run that is ended leaves nothing running: neither its broker nor its workers."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

SETTINGS = '[pytest]\ncelery_app = "shop"\n'
TEST = """
import time
from pathlib import Path

import psutil


def test_a_task(worker):
    pids = [str(child.pid) for child in psutil.Process().children(recursive=True)]
    Path("pids.new").write_text(" ".join(pids))
    Path("pids.new").rename("pids")
    time.sleep(60)
"""


@pytest.mark.parametrize(("name", "options"), [("SIGHUP", []), ("SIGTERM", []), ("SIGTERM", ["-n", "1"])])
def test_it_ends_its_broker_and_its_workers(name, options, tmp_path):
    (tmp_path / "pytest.toml").write_text(SETTINGS)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["celery_runtime.testing"]\n')
    (tmp_path / "test_one.py").write_text(TEST)
    environment = {name: one for name, one in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    run = subprocess.Popen(command, cwd=tmp_path, env=environment, preexec_fn=run_in_the_background, **pipes)  # noqa: PLW1509
    deadline = time.monotonic() + 60
    while not (tmp_path / "pids").exists() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) >= 3  # the broker, a worker, and its process for tasks

    run.send_signal(getattr(signal, name))
    output, _ = run.communicate(timeout=60)

    assert run.returncode == 2, output.decode()
    deadline = time.monotonic() + 20  # a process of pytest-xdist ends on its own, after that which started it
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if _runs(pid)], output.decode()


def run_in_the_background() -> None:
    """Have SIGINT ignored, as a script's shell does, and SIGHUP not, as `nohup` does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
