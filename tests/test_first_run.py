"""What somebody does first: `make demo`, `make worker`, `make dev`, `make stop`, on a machine without uv."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.baking import TEMPLATE, BakedProject, clean_environment

pytestmark = pytest.mark.baked


def processes(*needles: str) -> list[str]:
    """Return the command lines of running processes that hold one of the texts."""
    listing = subprocess.run(
        ["ps", "-eww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    lines = [line for line in listing.splitlines() if " Z" not in line[:16] and f" {os.getpid()} " not in line]
    return [line for line in lines if any(needle in line for needle in needles)]


def wait_for(condition: Callable[[], bool], describe: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened\n{describe()}"
        time.sleep(0.05)


def start_make(project: BakedProject, target: str, log: Path, **environment: str) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            ["make", target],
            cwd=project.path,
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A run in the background of a script has Ctrl-C ignored, and hands that down.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
        )


def end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=30)


@pytest.fixture
def project(baked):
    """One that several tests use, and none changes."""
    return baked(installed=True, framework="plain")


@pytest.fixture
def own_project(bake_own):
    return bake_own(installed=True, framework="plain")


@pytest.fixture
def short_folder():
    """A folder for temporary files whose name leaves room for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


def test_the_templates_demo_shows_the_order_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo"],
        cwd=TEMPLATE,
        env=clean_environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    picture = [
        line.strip() for line in done.stdout.splitlines() if set(line.strip()) and set(line.strip()) <= set("HNL")
    ]
    ran = "".join(picture[len(picture) // 2 :])
    assert len(ran) == 200
    assert ran == "H" * ran.count("H") + "N" * ran.count("N") + "L" * ran.count("L")
    assert "running" not in done.stdout.splitlines()  # the bar of a terminal, which this is none
    assert "ex14_priorities.py" in done.stdout
    assert "succeeded on run 3" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert processes(str(tmp_path)) == []


def test_the_templates_demo_runs_on_rabbitmq(tmp_path, rabbitmq_url):
    environment = {"FRAMEWORK": "django", "BROKER": "rabbitmq", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo"],
        cwd=TEMPLATE,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The broker is amqp://" in done.stdout
    assert processes(str(tmp_path)) == []


def test_the_demo_fails_when_the_order_is_wrong(own_project):
    path = own_project.path / "celery_runtime/brokers/redis_transport.py"
    path.write_text(path.read_text().replace("LEVELS[::-1]", "LEVELS"))
    done = own_project.run("make", "demo")
    assert done.returncode != 0
    assert "error: the tasks did not run in order of priority." in done.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_ended_early_leaves_nothing(project, short_folder, tmp_path, ending):
    log = tmp_path / "log"
    demo = start_make(project, "demo", log, TMPDIR=str(short_folder))
    wait_for(lambda: "publish the backlog" in log.read_text(), log.read_text)
    os.killpg(demo.pid, ending)
    wait_for(lambda: demo.poll() is not None, lambda: f"{processes(str(short_folder))}\n{log.read_text()}")
    assert demo.returncode != 0
    wait_for(lambda: not processes(str(short_folder)))
    assert "Traceback" not in log.read_text()


def test_the_demo_touches_no_broker_that_holds_messages(project, redis_url):
    publish = "from shop.celery_tasks.ex3_auto_retry import ship; ship.delay(1)"
    project.run(project.python, "-c", publish, check=True, CELERY_BROKER_URL=redis_url)
    done = project.run("make", "demo", CELERY_BROKER_URL=redis_url)
    assert done.returncode != 0
    assert "error: 1 messages wait on this broker, which the demo would run." in done.stderr
    depth = project.celery("queues", check=True, CELERY_BROKER_URL=redis_url).stdout
    assert depth.splitlines()[1].split()[:2] == ["tasks", "1"]


def test_a_worker_starts_with_no_server_and_stop_ends_what_it_leaves(project, short_folder, tmp_path):
    log = tmp_path / "log"
    development = {"TMPDIR": str(short_folder)}
    worker = start_make(project, "worker", log, **development)
    wait_for(lambda: " ready." in log.read_text(), log.read_text)
    assert log.read_text().count("broker and results: embedded Valkey in ") == 1
    code = "from shop.celery_tasks.ex1_try_except import run_tasks; run_tasks()"
    assert "a large one: declined" in project.run(project.python, "-c", code, check=True, **development).stdout
    end(worker)
    assert processes(str(short_folder)), "the embedded broker outlives the worker"
    stopped = project.run("make", "stop", check=True, **development)
    assert (stopped.stdout, stopped.stderr) == ("The embedded broker was stopped.\n", "")
    wait_for(lambda: not processes(str(short_folder)))


def test_dev_restarts_when_a_source_file_changes_and_only_then(own_project, redis_url, tmp_path):
    log = tmp_path / "log"
    dev = start_make(own_project, "dev", log, CELERY_BROKER_URL=redis_url)
    try:
        wait_for(lambda: log.read_text().count(" ready.") == 1, log.read_text)
        (own_project.path / "upload.txt").write_text("no source file")
        (own_project.path / "notes.py").write_text("outside the source folder")
        (own_project.tasks / "ex20_new.py").write_text(
            "from ..celery_config import app\n\n\n@app.task(queue='tasks')\ndef new() -> None: ...\n"
        )
        wait_for(lambda: log.read_text().count(" ready.") == 2, log.read_text)
        assert "ex20_new.new" in log.read_text()
    finally:
        end(dev)
    assert log.read_text().count(" ready.") == 2


@pytest.fixture
def path_without_uv(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "env", "expand", "git", "make", "mktemp", "python3", "sed", "sh", "test"):
        if found := shutil.which(name):
            (folder / name).symlink_to(os.path.realpath(found))
    (folder / "python3").unlink()
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    return str(folder)


def run_make(project: BakedProject, *arguments: str, path: str) -> "subprocess.CompletedProcess[str]":
    environment = {**clean_environment(), "PATH": path}
    return subprocess.run(
        ["make", *arguments], cwd=project.path, env=environment, capture_output=True, text=True, check=False
    )


def test_without_uv_the_makefile_gets_it_into_a_folder_of_its_own(own_project, path_without_uv):
    done = run_make(own_project, "install", path=path_without_uv)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (own_project.path / ".tools/bin/uv").exists()


def test_a_python_that_cannot_make_environments_is_one_clear_line(project, path_without_uv, tmp_path):
    broken = tmp_path / "broken-python"
    broken.write_text("#!/bin/sh\necho 'ensurepip is not available' >&2\nexit 1\n")
    broken.chmod(0o755)
    done = run_make(project, "install", f"PYTHON={broken}", path=path_without_uv)
    assert done.returncode != 0
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert line.startswith("error: ")
    assert "install python3-venv, or uv itself" in line


def test_make_alone_lists_what_there_is(project):
    listed = project.run("make", check=True).stdout
    for target in ("demo", "worker", "dev", "stop", "test", "lint"):
        assert f"\n{target} " in f"\n{listed}"
