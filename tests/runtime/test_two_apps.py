"""Another Celery app in the same process stays as Celery made it, and so does the project's, whichever comes first.

Both orders, both brokers, with a real worker of each app; each worker has both apps in its process as well.
"""

import os
import subprocess
import sys
from pathlib import Path

import kombu.pools
import pytest

import celery_runtime
from celery_runtime.brokers.connection import Connection
from celery_runtime.testing.worker import WorkerProcess

from .small_package import SMALL_PACKAGE

PACKAGE = {
    **SMALL_PACKAGE,
    "celery_tasks/ex1.py": """
import os
from pathlib import Path

from shop import app

@app.task(queue="tasks", ignore_result=True)
def note(priority):
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(f"shop {priority}\\n")
""",
}
# Makes the two apps in the order that is told; the first has connected before the other is made.
BOTH = """
import os
from pathlib import Path

import celery
from kombu import Queue

def make_stock():
    app = celery.Celery("other", broker=os.environ["BROKER"])
    app.conf.task_queues = [Queue("other", queue_arguments={"x-max-priority": 10})]
    app.conf.update(task_default_queue="other", worker_prefetch_multiplier=1, task_acks_late=True)

    @app.task(name="other.note", ignore_result=True)
    def note(priority):
        with Path(os.environ["NOTES"]).open("a") as file:
            file.write(f"other {priority}\\n")

    return app

def make_project():
    from shop import app

    return app

MAKERS = {"stock": make_stock, "project": make_project}
apps = {}
for name in os.environ["ORDER"].split():
    apps[name] = MAKERS[name]()
    with apps[name].connection_for_write() as connection:
        connection.default_channel
stock, project = apps["stock"], apps["project"]
"""
PUBLISH = """
from both import project, stock

for priority in (2, 9, 5, 0, 7):
    project.send_task("shop.celery_tasks.ex1.note", (priority,), priority=priority)
    stock.send_task("other.note", (priority,), priority=priority)
"""
UNCHANGED = """
from amqp import serialization
from kombu.transport import TRANSPORT_ALIASES, pyamqp, redis, virtual

before = dict(TRANSPORT_ALIASES), dict(serialization.PROPERTY_CLASSES), {
    cls: dict(vars(cls)) for cls in (redis.Channel, redis.Transport, redis.QoS, virtual.QoS, pyamqp.Transport)
}
import both
after = dict(TRANSPORT_ALIASES), dict(serialization.PROPERTY_CLASSES), {
    cls: dict(vars(cls)) for cls in (redis.Channel, redis.Transport, redis.QoS, virtual.QoS, pyamqp.Transport)
}
assert before == after
"""
BY_URGENCY = [9, 7, 5, 2, 0]
# kombu's Redis transport serves the smallest number first, and keeps 0 and 2 in one list, where 2 was first.
STOCK_ON_REDIS = [2, 0, 5, 7, 9]


class Place:
    """A folder with the package, the two apps, and what the tasks have noted."""

    def __init__(self, folder: Path, broker_url: str, order: str) -> None:
        self.folder = folder
        for name, source in PACKAGE.items():
            path = folder / "shop" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        (folder / "both.py").write_text(BOTH)
        self.notes = folder / "notes"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CELERY_")},
            "PYTHONPATH": f"{folder}{os.pathsep}{Path(celery_runtime.__path__[0]).parent}",
            "BROKER": broker_url,
            "ORDER": order,
            "NOTES": str(self.notes),
            "APP_ENV": "test",
        }

    def run(self, code: str) -> None:
        subprocess.run([sys.executable, "-c", code], env=self.environment, check=True, timeout=60)

    def worker(self, app: str) -> WorkerProcess:
        log = self.folder / f"{app}.log"
        return WorkerProcess(f"both:{app}", log, environment=self.environment, folder=self.folder)

    def noted_by(self, app: str) -> list[int]:
        """Return the priorities of the tasks of one app, in the order in which they ran."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(app)]


@pytest.mark.parametrize("order", ["project stock", "stock project"])
def test_each_message_reaches_the_worker_of_its_own_app_in_its_own_order(order, broker_url, tmp_path):
    place = Place(tmp_path, broker_url, order)
    place.run(PUBLISH)
    with place.worker("project") as worker, place.worker("stock"):
        worker.wait_for(lambda: len(place.noted_by("")) == 2 * len(BY_URGENCY))
    assert place.noted_by("shop") == BY_URGENCY
    assert place.noted_by("other") == (BY_URGENCY if broker_url.startswith("amqp") else STOCK_ON_REDIS)


@pytest.mark.parametrize("order", ["project stock", "stock project"])
def test_nothing_of_kombu_and_of_py_amqp_is_changed(order, broker_url, tmp_path):
    Place(tmp_path, broker_url, order).run(UNCHANGED)


def test_a_stock_connection_to_the_same_server_is_in_another_pool(server):
    ours, stock = Connection(server.url), kombu.Connection(server.url)
    assert kombu.pools.connections[ours] is kombu.pools.connections[Connection(server.url)]
    assert kombu.pools.connections[ours] is not kombu.pools.connections[stock]


def test_the_logs_of_another_app_are_those_of_celery(server, tmp_path):
    with Place(tmp_path, server.url, "project stock").worker("stock") as worker:
        assert "INFO/MainProcess] stock@" in worker.output()


def test_the_broker_and_the_results_in_the_dotenv_file_are_not_those_of_another_app(tmp_path):
    place = Place(tmp_path, "redis://127.0.0.1:1/5", "project")
    place.environment["APP_ENV"] = "development"
    (tmp_path / ".env").write_text(
        "CELERY_BROKER_URL=redis://127.0.0.1:1/8\nCELERY_RESULT_BACKEND=redis://127.0.0.1:1/9\n"
    )
    settings = """
from celery_runtime.brokers import urls

broker_url = urls.broker_url()
result_backend = urls.results_url(broker_url)
"""
    (tmp_path / "shop/settings.py").write_text(PACKAGE["settings.py"] + settings)
    place.run("""
import celery

other = celery.Celery("other", broker="redis://127.0.0.1:1/5", backend="redis://127.0.0.1:1/6")
from shop import app

assert (app.conf.broker_url, app.conf.result_backend) == ("redis://127.0.0.1:1/8", "redis://127.0.0.1:1/9")
assert (other.conf.broker_url, other.conf.result_backend) == ("redis://127.0.0.1:1/5", "redis://127.0.0.1:1/6")
""")
