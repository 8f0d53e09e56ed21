"""Two projects on one broker have nothing in common: no queue, no dead letter, no command, no event.

Real workers of both. On RabbitMQ a project also takes over what waits in its queue from before.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from kombu import Connection

import celery_runtime
from celery_runtime.testing.worker import WorkerProcess

from .small_package import SMALL_PACKAGE

NUMBER = 200
FILES = {
    **SMALL_PACKAGE,
    "celery_tasks/ex1.py": """
import os
import time
from pathlib import Path

from .. import app

@app.task(queue="tasks", bind=True, ignore_result=True)
def note(self, number):
    origin = self.request.delivery_info
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(f"{app.main} {number} {origin['exchange']} {origin['routing_key']}\\n")
    time.sleep(float(os.environ.get("PAUSE", 0)))

@app.task(queue="tasks", ignore_result=True)
def fail(who):
    raise ValueError(who)
""",
}
PUBLISH = f"""
from PROJECT.celery_tasks.ex1 import fail, note
for number in range({NUMBER}):
    note.apply_async((number,), countdown=number % 4 or None)
fail.delay("PROJECT")
"""
# As Celery publishes without this library: to the queue that the server has as `tasks`.
PUBLISH_BEFORE = f"""
import os
import celery
from kombu import Exchange, Queue

stock = celery.Celery(broker=os.environ["BROKER"])
stock.conf.broker_transport_options = {{"confirm_publish": True}}
arguments = {{"x-max-priority": 10, "x-queue-type": "classic"}}
stock.conf.task_queues = [Queue("tasks", Exchange("tasks"), routing_key="tasks", queue_arguments=arguments)]
stock.conf.task_default_queue = "tasks"
for number in range({NUMBER}):
    stock.send_task("shop.celery_tasks.ex1.note", (number,), priority=5)
address = {{"exchange": "tasks", "routing_key": "tasks"}}
stock.send_task("shop.celery_tasks.ex1.fail", ("before",), priority=0, **address)  # the last
"""
# Signs of life come every two seconds from each worker that it hears.
LISTEN = """
from PROJECT import app
heard = set()
with app.connection_for_read() as connection:
    receiver = app.events.Receiver(connection, handlers={"*": lambda event: heard.add(event["hostname"].split("@")[0])})
    receiver.capture(limit=4, wakeup=True)
print(*sorted(heard))
"""


class Projects:
    """A folder with both packages, and what their tasks have noted."""

    def __init__(self, folder: Path, broker_url: str) -> None:
        self.folder, self.notes = folder, folder / "notes"
        for project in ("shop", "bakery"):
            for name, source in FILES.items():
                path = folder / project / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(source)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CELERY_")},
            "PYTHONPATH": f"{folder}{os.pathsep}{Path(celery_runtime.__path__[0]).parent}{os.pathsep}"
            + os.environ["PYTHONPATH"],  # where the commands are
            "BROKER": broker_url,
            "NOTES": str(self.notes),
            "APP_ENV": "test",
        }

    def run(self, project: str, code: str) -> str:
        return self._run("-c", code.replace("PROJECT", project))

    def celery(self, project: str, *arguments: str) -> str:
        return self._run("-m", "celery", "-A", project, *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def worker(self, project: str, log: str = "", *options: str) -> WorkerProcess:
        path = self.folder / f"{log or project}.log"
        return WorkerProcess(project, path, *options, environment=self.environment, folder=self.folder)

    def noted(self, project: str) -> list[list[str]]:
        """Return what the tasks of a project have noted: a number, an exchange, a routing key."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [words[1:] for line in lines if (words := line.split(" "))[0] == project]

    def depth(self, project: str, queue: str = "tasks") -> int:
        depths = json.loads(self.celery(project, "queues", "--json"))["queues"]
        return next(one["total"] for one in depths if one["queue"] == queue)


@pytest.fixture
def projects(tmp_path, broker_url):
    return Projects(tmp_path, broker_url)


def test_each_runs_its_own_tasks_and_keeps_its_own_dead_letters(projects):
    both = ("shop", "bakery")
    for project in both:
        projects.run(project, PUBLISH)
    # The second is started when the first has done all that it finds: it would have taken what is not its own.
    with projects.worker("shop", "shop", "-Q", "tasks") as worker:
        worker.wait_for(lambda: len(projects.noted("shop")) >= NUMBER and "dead letter" in worker.output())
        assert projects.noted("bakery") == []
        with projects.worker("bakery") as second:
            second.wait_for(lambda: len(projects.noted("bakery")) >= NUMBER and "dead letter" in second.output())
    for project in both:
        assert Counter(int(number) for number, *_ in projects.noted(project)) == Counter(range(NUMBER))
        assert {tuple(origin) for _, *origin in projects.noted(project)} <= {("tasks", "tasks"), ("", "tasks")}
        [entry] = json.loads(projects.celery(project, "dead-letters", "list", "--json"))
        assert (entry["task"], entry["queue"]) == (f"{project}.celery_tasks.ex1.fail", "tasks")
        assert projects.depth(project) == 0


def test_neither_hears_the_events_of_the_other_or_takes_its_commands(projects):
    with ExitStack() as running:
        workers = {name: running.enter_context(projects.worker(name, name, "-E")) for name in ("shop", "bakery")}
        for project in workers:
            answers = json.loads(projects.celery(project, "inspect", "active_queues", "--json"))
            assert [name.split("@")[0] for name in answers] == [project]
            assert [queue["name"] for queues in answers.values() for queue in queues] == ["tasks"]
            assert projects.run(project, LISTEN).split() == [project]
        projects.celery("shop", "control", "cancel_consumer", "tasks")
        projects.celery("shop", "control", "add_consumer", "tasks")
        projects.run("shop", "from shop.celery_tasks.ex1 import note; note.delay(1)")
        workers["shop"].wait_for(lambda: projects.noted("shop"))
        projects.run("shop", "from shop import app; app.control.broadcast('shutdown')")
        workers["shop"].process.wait(timeout=30)
        projects.run("bakery", "from bakery.celery_tasks.ex1 import note; note.delay(2)")
        workers["bakery"].wait_for(lambda: projects.noted("bakery"))


NAMES = """
from bakery import app
with app.connection_for_write() as connection:
    channel = connection.default_channel
    assert channel.queue_declare("").queue.startswith("amq.gen-")
    assert channel.queue_declare("own").queue == "own"
    assert channel.queue_declare("/bakery.own", passive=True).queue == "own"
    assert channel.queue_declare("/shop.other").queue == "/shop.other"
    arguments = {"x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "own"}
    channel.queue_declare("way", arguments=arguments)
    channel.exchange_declare("first", "fanout")
    channel.exchange_declare("second", "fanout")
    channel.exchange_bind("second", "first")
    channel.queue_bind("way", "second")
    channel.queue_bind("way", "/amq.fanout")
    for exchange in ("first", "amq.fanout"):
        channel.basic_publish(channel.prepare_message(b"x"), exchange)
    while channel.queue_declare("own", passive=True).message_count < 2:
        pass
    assert channel.message_to_python(channel.basic_get("own")).delivery_info["routing_key"] == "own"
    assert channel.queue_purge("own") == 1
    channel.queue_unbind("way", "second")
    channel.exchange_unbind("second", "first")
    for exchange in ("first", "second"):
        channel.exchange_delete(exchange)
    for queue in ("own", "way", "/shop.other"):
        channel.queue_delete(queue)
"""


@pytest.mark.parametrize("broker_url", ["rabbitmq"], indirect=True)
def test_a_name_and_back(projects):
    projects.run("bakery", NAMES)


@pytest.mark.parametrize("broker_url", ["rabbitmq"], indirect=True)
def test_a_connection_that_knows_no_project_is_refused(projects):
    projects.run(
        "shop",
        """
from shop import app
try:
    app.connection_for_write().clone(transport_options={}).connect()
except TypeError as error:
    assert "'project'" in str(error)
else:
    raise AssertionError
""",
    )


@pytest.mark.parametrize("broker_url", ["rabbitmq"], indirect=True)
def test_what_waits_from_before_is_taken_over(projects, broker_url):
    """The first worker is killed while it works."""
    with Connection(broker_url) as connection:  # other tests have it too
        connection.default_channel.queue_delete("tasks")
    projects.run("shop", PUBLISH_BEFORE)
    projects.environment |= {"QUEUES": "tasks /tasks", "PAUSE": "0.01"}
    with Connection(broker_url) as connection:  # `queues` would mark them as redelivered, and a kill would count
        assert connection.default_channel.queue_declare("tasks", passive=True).message_count == NUMBER + 1
    projects.run("shop", "from shop.celery_tasks.ex1 import note; note.delay('new')")
    with projects.worker("shop", "first") as worker:
        worker.wait_for(lambda: len(projects.noted("shop")) > NUMBER / 4)
    assert len(projects.noted("shop")) < NUMBER
    with projects.worker("shop", "second") as worker:
        expected = {"new", *map(str, range(NUMBER))}
        worker.wait_for(lambda: {number for number, *_ in projects.noted("shop")} == expected)
        worker.wait_for(lambda: "stored as a dead letter" in worker.output())
        assert (projects.depth("shop"), projects.depth("shop", "/tasks")) == (0, 0)
        entries = json.loads(projects.celery("shop", "dead-letters", "list", "--json"))
        [entry] = entries
        assert entry["queue"] == "/tasks"
        projects.celery("shop", "dead-letters", "requeue", entry["id"])  # it goes where it was
        worker.wait_for(lambda: worker.output().count("stored as a dead letter") == 2)
    with Connection(broker_url) as connection:
        assert not connection.default_channel.queue_delete("tasks")  # the number of its messages
