"""Routes, queues of the schedule and broadcasts: told at import where they lead nowhere, and shown as they act."""

import json
import time

import pytest
from kombu.common import Broadcast

TASKS = """
    from pathlib import Path

    from PACKAGE import app

    def note(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")

    @app.task(bind=True)
    def plain(self):
        note(f"plain {self.request.delivery_info['routing_key']} {self.request.delivery_info['priority']}")

    @app.task(bind=True, priority=2)
    def own(self):
        note(f"own {self.request.delivery_info['routing_key']} {self.request.delivery_info['priority']}")
"""
URGENT = {"PACKAGE.celery_tasks.ex1.*": {"queue": "urgent", "priority": 8}}


@pytest.fixture
def routed(copy):
    """Return the copy with tasks, a second queue, and what states its routes."""
    copy.write("ex1.py", TASKS)
    copy.change("queues.py", "QUEUES = [", 'QUEUES = [priority_queue("urgent"), ')

    def route(routes):
        copy.configure(task_routes=json.loads(json.dumps(routes).replace("PACKAGE", copy.package)))
        return copy

    return route


def rows(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_tasks_list_shows_queue_and_priority_as_they_act(routed, start):
    copy = routed(URGENT)
    listed = {
        row["task"].rpartition(".")[2]: (row["queue"], row["priority"])
        for row in rows(copy.celery("tasks", "list", "--json"))
    }
    assert listed == {"plain": ("urgent", 8), "own": ("urgent", 2)}
    worker = start()
    copy.run("from PACKAGE.celery_tasks.ex1 import own, plain; plain.delay(); own.delay()")
    worker.wait_for(lambda: len(copy.notes()) == 2)
    assert sorted(copy.notes()) == [f"{name} {queue} {priority}" for name, (queue, priority) in sorted(listed.items())]


@pytest.mark.parametrize(
    ("routes", "problem"),
    [
        (
            {"PACKAGE.celery_tasks.ex1.plain": "nowhere"},
            "the queue 'nowhere' of the route 'PACKAGE.celery_tasks.ex1.plain'",
        ),
        ({"PACKAGE.*": {"queue": "nowhere"}}, "the queue 'nowhere' of the route 'PACKAGE.*' does not exist"),
        ([[["other.*", {"queue": "nowhere"}]]], "the queue 'nowhere' of the route 'other.*' does not exist"),
        ({"PACKAGE.*": {"priority": 10}}, "the priority 10 of the route 'PACKAGE.*' does not exist"),
        ({"PACKAGE.*": {"serializer": "yaml"}}, "the serializer 'yaml' of the route 'PACKAGE.*' is refused"),
    ],
)
def test_a_route_to_nowhere_is_told_where_it_is_stated(routed, routes, problem):
    copy = routed(routes)
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 1, done.stdout
    [told] = json.loads(done.stdout)
    lines = (copy.root / copy.package / "settings.py").read_text().splitlines()
    assert (told["file"], told["line"]) == (f"{copy.package}/settings.py", len(lines))
    assert problem.replace("PACKAGE", copy.package) in told["problem"]


def test_a_route_of_a_task_that_is_in_no_file_is_warned_of(routed):
    copy = routed({"PACKAGE.celery_tasks.ex1.gone": {"queue": "urgent"}, "program.of.others": {"queue": "urgent"}})
    [told] = rows(copy.celery("tasks", "check", "--json"))
    assert (told["fatal"], told["file"]) == (False, f"{copy.package}/settings.py")
    assert f"routes the task {copy.package}.celery_tasks.ex1.gone, which is in no task file" in told["problem"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"queue": "nowhere"}, "the queue 'nowhere' of the entry 'nightly'"),
        ({"priority": 200}, "the priority 200 of the"),
    ],
)
def test_so_is_an_entry_of_the_schedule(routed, options, problem):
    copy = routed({})
    entry = {"task": f"{copy.package}.celery_tasks.ex1.plain", "schedule": 60, "options": options}
    (copy.root / copy.package / "schedule.py").write_text(f"SCHEDULE = {{\n    'nightly': {entry},\n}}\n")
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 1, done.stdout
    [told] = json.loads(done.stdout)
    assert (told["file"], told["line"]) == (f"{copy.package}/schedule.py", 2)
    assert problem in told["problem"]


@pytest.mark.parametrize("name", ["task_serializer", "result_serializer"])
def test_a_serializer_of_the_settings_that_is_refused_is_told(copy, name):
    copy.write_note_task()
    copy.configure(**{name: "pickle"})
    done = copy.celery("tasks", "check")
    assert done.returncode == 1, done.stdout
    assert f"{name}, 'pickle', is refused where it is read: ContentDisallowed" in done.stdout


BROADCAST = """
    from pathlib import Path

    from PACKAGE import app

    @app.task(bind=True, queue="everyone", ignore_result=True)
    def tell(self, text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(f"{text} {self.request.hostname.partition('@')[0]}\\n")
"""


def test_a_broadcast_reaches_every_worker(broker_url, copy, start):
    copy.environment["CELERY_BROKER_URL"] = broker_url
    copy.write("ex1.py", BROADCAST)
    copy.change(
        "queues.py", "QUEUES = [", f'from {Broadcast.__module__} import Broadcast\n\nQUEUES = [Broadcast("everyone"), '
    )
    listed = rows(copy.celery("tasks", "list", "--json"))
    assert [row["queue"] for row in listed] == ["everyone"]
    assert copy.celery("tasks", "check", "--json").returncode == 0
    copy.write_note_task("ex2_note.py")
    workers = [start(), start(), start("--tasks", "ex2*")]
    copy.run(
        "from PACKAGE.celery_tasks.ex1 import tell\n"
        "tell.apply_async(('now',), routing_key='elsewhere'); tell.apply_async(('later',), countdown=1)"
    )
    workers[0].wait_for(lambda: len(copy.notes()) >= 4)
    names = [log.stem for log in copy.logs[:2]]
    time.sleep(2)  # longer than a message is delayed that a worker leaves to others
    assert sorted(copy.notes()) == sorted(f"{text} {name}" for text in ("now", "later") for name in names)
    depths = json.loads(copy.celery("queues", "--json").stdout)
    assert [depth["queue"] for depth in depths["queues"]] == ["tasks"]
