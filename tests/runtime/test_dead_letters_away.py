"""The server that keeps the dead letters is stopped while a task fails."""

import json

from celery_runtime.testing.project import ProjectCopy
from celery_runtime.testing.worker import WorkerProcess
from shop import app

TASKS = """
    import time
    from pathlib import Path

    from PACKAGE.celery_config import app

    @app.task(queue="tasks", acks_late=False, ignore_result=True)
    def fail_when_told(secret, password):
        while not Path("NOTES_FILE").exists():
            time.sleep(0.01)
        raise ValueError("nobody to tell it to")
"""


def test_the_whole_entry_is_a_line_in_the_log_and_the_worker_lives_on(server, tmp_path):
    copy = ProjectCopy(app.main, tmp_path).create()
    copy.environment["CELERY_BROKER_URL"] = server.url
    copy.write("ex1.py", TASKS)
    publish = """
        from PACKAGE.celery_tasks.ex1 import fail_when_told
        print(fail_when_told.delay("hunter2", password="hunter2").id)
    """
    with WorkerProcess(app.main, tmp_path / "worker.log", environment=copy.environment) as worker:
        task_id = copy.run(publish).strip()
        worker.wait_for(lambda: f"[{task_id}] received" in worker.output())
        server.stop()
        copy.notes_file.touch()
        worker.wait_for(lambda: "the store did not take this dead letter" in worker.output())
        lines = [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]
        [entry] = [line["dead_letter"] for line in lines if "dead_letter" in line]
        assert (entry["id"], entry["message"]) == (task_id, "nobody to tell it to")
        assert entry["signature"]["kwargs"] == {"password": "…"}
        assert "hunter2" not in worker.output()
        server.start()
        copy.run(publish)
        worker.wait_for(lambda: "stored as a dead letter" in worker.output())
