"""The probe: quick, right while every process is busy, and not fooled by a worker that hangs or was killed."""

import os
import signal
import subprocess
import sys
import time
from threading import Thread

from celery_runtime.worker.liveness import Liveness

BUSY = """
    import time

    from PACKAGE.celery_config import app

    @app.task(queue="tasks")
    def busy(seconds):
        time.sleep(seconds)
"""


def probe(project, *arguments):
    """Run the probe as a container would; return its exit status and what it says."""
    path = project.root / "celery_runtime/health.py"
    environment = {**project.environment, "PATH": ""}
    command = [sys.executable, "-I", "-S", str(path), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def use_own_folder(project):
    project.environment["CELERY_HEALTH_FOLDER"] = str(project.root / "health")


def test_no_worker_is_not_well(copy):
    use_own_folder(copy)
    status, said = probe(copy)
    assert (status, said.startswith("no worker of this project runs here")) == (1, True)


def test_a_worker_is_alive_and_ready_even_while_all_its_processes_are_busy(copy, start):
    use_own_folder(copy)
    copy.configure(worker_liveness_interval=0.2)
    copy.write("ex1.py", BUSY)
    worker = start()
    left_behind = copy.root / "health" / "worker-7"
    left_behind.write_text("1 ready")
    os.utime(left_behind, (0, 0))
    assert probe(copy) == (0, "alive")
    assert probe(copy, "ready") == (0, "ready")
    copy.run("from PACKAGE.celery_tasks.ex1 import busy; busy.delay(30)")
    worker.wait_for(lambda: "received" in worker.output())
    time.sleep(2)
    assert probe(copy, "--limit", "1") == (0, "alive")


def test_a_probe_never_finds_half_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CELERY_HEALTH_FOLDER", str(tmp_path))
    liveness, read = Liveness(), []
    writer = Thread(target=lambda: [liveness.tell(state) for _ in range(2_000) for state in ("starting", "ready")])
    writer.start()
    while writer.is_alive():
        read.append((tmp_path / "worker-0").read_text().strip())
    liveness.end()
    assert set(read) <= {f"{os.getpid()} starting", f"{os.getpid()} ready"}


def test_a_worker_that_hangs_is_named(copy, start):
    use_own_folder(copy)
    copy.configure(worker_liveness_interval=0.2)
    copy.write("ex1.py", BUSY)
    worker = start()
    os.kill(worker.process.pid, signal.SIGSTOP)
    time.sleep(1.5)
    status, said = probe(copy, "--limit", "1")
    assert status == 1
    assert said.startswith(f"the worker {worker.process.pid} hangs")
    os.kill(worker.process.pid, signal.SIGCONT)
    worker.wait_for(lambda: probe(copy, "--limit", "1") == (0, "alive"))
    worker.process.kill()
    worker.process.wait()
    assert probe(copy)[0] == 1


def test_a_worker_that_waits_for_its_broker_is_alive_and_not_ready(copy):
    use_own_folder(copy)
    copy.write("ex1.py", BUSY)
    copy.environment["CELERY_BROKER_URL"] = f"redis+socket://{copy.root}/nobody.sock?virtual_host=0"
    copy.environment["CELERY_RESULT_BACKEND"] = os.environ["CELERY_BROKER_URL"]
    log = (copy.root / "log").open("w+")
    command = [sys.executable, "-m", "celery", "-A", copy.package, "worker", "--concurrency", "1"]
    worker = subprocess.Popen(command, cwd="/", env=copy.environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while probe(copy)[0] != 0 or "waiting for its broker" not in probe(copy, "ready")[1]:
            assert time.monotonic() < deadline, (copy.root / "log").read_text()
            time.sleep(0.1)
        time.sleep(3)
        assert probe(copy, "--limit", "2") == (0, "alive")
        assert (copy.root / "log").read_text().count("waits for its broker") == 1
        worker.terminate()
        assert worker.wait(timeout=60) == 0
    finally:
        worker.kill()
        log.close()


def test_a_wrong_argument_is_told(copy):
    assert probe(copy, "--limit") == (2, "usage: health.py [ready | beat] [--limit SECONDS]")
