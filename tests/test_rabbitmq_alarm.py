"""A RabbitMQ that is short of memory takes no messages for a while: its workers live on, and what ends is no failure."""

import time

import pytest

from scripts.rabbitmq_node import rabbitmq_node

from .conftest import lent
from .workers import running_worker

pytestmark = pytest.mark.baked

TASK = """
import time
from pathlib import Path

from ..celery_config import app


@app.task(queue="tasks", time_limit=5)
def slow(folder):
    Path(folder, "begun").touch()
    time.sleep(2)
    Path(folder, "ended").touch()
"""


def test_a_worker_lives_on_while_rabbitmq_is_short_of_memory(bake_own, tmp_path):
    project = bake_own(framework="plain", broker="rabbitmq", result_backend="database")
    (project.tasks / "ex90_slow.py").write_text(TASK)
    probe = project.path / "celery_runtime/health.py"
    with lent(rabbitmq_node()) as node:
        environment = {"CELERY_BROKER_URL": node.url, "CELERY_HEALTH_FOLDER": str(tmp_path / "health")}
        with running_worker(project, tmp_path / "log", **environment) as worker:
            publish = f"from shop.celery_tasks.ex90_slow import slow; slow.delay({str(tmp_path)!r})"
            project.run(project.python, "-c", publish, check=True, **environment)
            worker.wait_for((tmp_path / "begun").exists)
            node.control("set_vm_memory_high_watermark", "0.0001")
            worker.wait_for((tmp_path / "ended").exists)
            time.sleep(12)  # longer than its limit, and than the probe bears with
            alive = project.run(project.python, "-I", "-S", probe, "--limit", "8", **environment)
            node.control("set_vm_memory_high_watermark", "0.4")
            assert alive.returncode == 0, alive.stdout + alive.stderr
            worker.wait_for(lambda: "succeeded" in worker.output())
            listed = project.celery("dead-letters", "list", check=True, **environment).stdout
            assert listed.strip() == "There is no dead letter."
