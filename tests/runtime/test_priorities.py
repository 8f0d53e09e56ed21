import ast
import json

import pytest
from kombu import Connection

from scripts.rabbitmq import virtual_host
from tests.availability import lent

PRIORITY_NOTES = """
    from pathlib import Path

    from PACKAGE.celery_config import app

    def write(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")

    @app.task(queue="tasks", bind=True)
    def seen(self, *args):
        "Note the priority of the message that carried this task."
        write(f"{args[-1]} {self.request.delivery_info['priority']}")

    @app.task(queue="tasks", bind=True, priority=8)
    def own(self):
        write(f"own {self.request.delivery_info['priority']}")

    @app.task(queue="tasks", bind=True)
    def parent(self):
        seen.delay("child")
        seen.apply_async(("child with its own",), priority=1)

    @app.task(queue="tasks", bind=True, max_retries=1)
    def retried(self):
        write(f"run {self.request.retries} {self.request.delivery_info['priority']}")
        if self.request.retries == 0:
            raise self.retry(countdown=0)

    @app.task(queue="tasks")
    def fail():
        raise ValueError
"""


@pytest.fixture
def notes(copy):
    copy.write("ex1.py", PRIORITY_NOTES)
    return copy


WAYS = {
    "seen.delay('x')": ["x 5"],
    "seen.apply_async(('x',), priority=3)": ["x 3"],
    "seen.apply_async(('x',), priority=0)": ["x 0"],
    "own.delay()": ["own 8"],
    "own.apply_async(priority=1)": ["own 1"],
    "app.send_task(own.name)": ["own 8"],
    "app.send_task(seen.name, ('x',))": ["x 5"],
    "app.send_task(seen.name, ('x',), priority=9)": ["x 9"],
    "group(seen.s('a'), seen.s('b').set(priority=1)).apply_async(priority=7)": ["a 7", "b 7"],
    "chain(seen.s('a'), seen.s('b').set(priority=2), seen.s('c')).apply_async(priority=7)": [
        "a 7",
        "b 2",
        "c 2",
    ],
    "chord([seen.si('head')], seen.si('body')).apply_async(priority=7)": ["body 7", "head 7"],
    "chord([seen.si('head')])(seen.si('body').set(priority=9))": ["body 9", "head 5"],
    "chord([seen.si('head')])(seen.si('body'))": ["body 5", "head 5"],
    "seen.apply_async(('x',), priority=7, link=seen.si('link'))": ["link 7", "x 7"],
    "seen.apply_async(('x',), priority=7, link=seen.si('link').set(priority=1))": ["link 1", "x 7"],
    "fail.apply_async(priority=7, link_error=seen.si('errback'))": ["errback 7"],
    "parent.apply_async(priority=7)": ["child 7", "child with its own 1"],
    "retried.apply_async(priority=7)": ["run 0 7", "run 1 7"],
}


def test_every_way_to_publish_gives_the_priority_that_was_meant(notes, start, broker_url):
    worker = start(CELERY_BROKER_URL=broker_url)
    seen = notes.run(
        f"""
        import time
        from pathlib import Path
        from celery import chain, chord, group
        from PACKAGE.celery_tasks.ex1 import *

        notes = Path("NOTES_FILE")
        for way, expected in {WAYS}.items():
            notes.unlink(missing_ok=True)
            eval(way)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                found = sorted(notes.read_text().splitlines()) if notes.exists() else []
                if len(found) >= len(expected):
                    break
                time.sleep(0.01)
            print(repr((way, found)))
        """,
        CELERY_BROKER_URL=broker_url,
    )
    assert dict(map(ast.literal_eval, seen.splitlines())) == WAYS, worker.output()


def test_a_worker_that_waits_is_told_of_what_comes(notes, start, broker_url):
    # Where it is not told, it looks at its queues so seldom.
    notes.configure(broker_transport_options={"polling_interval": 60})
    start(CELERY_BROKER_URL=broker_url)
    code = """
        from PACKAGE.celery_tasks.ex1 import seen
        for number in range(3):
            seen.delay(number).get(timeout=30)
    """
    notes.run(code, CELERY_BROKER_URL=broker_url)


SNIPPET = {"priority_steps": list(range(10)), "sep": ":", "queue_order_strategy": "priority"}


def test_priority_steps_that_ascend_do_not_turn_the_order_round(notes, start):
    notes.configure(broker_transport_options=SNIPPET)
    code = "from PACKAGE.celery_tasks.ex1 import *\nfor n in (0, 9, 5, 3, 8): seen.apply_async((n,), priority=n)"
    notes.run(code)
    worker = start()
    worker.wait_for(lambda: len(notes.notes()) == 5)
    assert notes.notes() == ["9 9", "8 8", "5 5", "3 3", "0 0"]


def test_a_virtual_host_with_quorum_queues_takes_priorities_and_dead_letters(notes, start):
    with lent(virtual_host("quorum")) as url:
        publish = "for n in (2, 9, 5): seen.apply_async((n,), priority=n)\nfail.delay()"
        notes.run(f"from PACKAGE.celery_tasks.ex1 import *\n{publish}", CELERY_BROKER_URL=url)
        worker = start(CELERY_BROKER_URL=url)
        worker.wait_for(lambda: len(notes.notes()) == 3)
        assert notes.notes() == ["9 9", "5 5", "2 2"]
        worker.wait_for(lambda: "stored as a dead letter" in worker.output())
        [entry] = json.loads(notes.celery("dead-letters", "list", "--json", CELERY_BROKER_URL=url).stdout)
        with Connection(url) as connection:  # which refuses it if it is of another type
            arguments = {"x-queue-type": "classic"}
            connection.channel().queue_declare(
                "shop.dead-letters", durable=True, auto_delete=False, arguments=arguments
            )
        done = notes.celery("dead-letters", "requeue", entry["id"], CELERY_BROKER_URL=url)
        assert done.returncode == 0, done.stderr


def test_a_route_can_set_the_priority(notes, start, broker_url):
    notes.write("ex2.py", "from PACKAGE import app\napp.conf.task_routes = {'*.seen': {'priority': 6}}\n")
    worker = start(CELERY_BROKER_URL=broker_url)
    notes.run(
        "from PACKAGE.celery_tasks.ex2 import *; from PACKAGE.celery_tasks.ex1 import seen; seen.delay('x')",
        CELERY_BROKER_URL=broker_url,
    )
    worker.wait_for(lambda: notes.notes() == ["x 6"])


def test_depths_are_shown_by_priority(copy, broker_url):
    copy.write_note_task("ex1_note.py")
    copy.run(
        "from PACKAGE.celery_tasks.ex1_note import note\n"
        "for priority in (9, 9, 0, None): note.apply_async(('x',), priority=priority)",
        CELERY_BROKER_URL=broker_url,
    )
    for _ in range(2):  # looking must not change what is there
        done = copy.celery("queues", "--json", CELERY_BROKER_URL=broker_url)
        [depth] = json.loads(done.stdout)["queues"]
        assert (depth["queue"], depth["total"]) == ("tasks", 4)
        by_priority = {level: count for level, count in depth["by_priority"].items() if count}
        assert by_priority == {"0": 1, "5": 1, "9": 2}


# As Flower does: by the steps that the app states, and 0, 3, 6 and 9 where it states none.
AS_A_MONITOR = """
    from PACKAGE import app
    from PACKAGE.celery_tasks.ex1_note import note

    for priority in range(10):
        note.apply_async(("x",), priority=priority)
    options = app.conf.broker_transport_options
    keys = [f"tasks\\x06\\x16{step}" if step else "tasks" for step in options.get("priority_steps", (0, 3, 6, 9))]
    with app.connection_for_read() as connection:
        print(sum(connection.default_channel.client.llen(key) for key in keys))
"""


def test_a_monitor_counts_the_messages_of_all_priorities_on_redis(copy):
    copy.write_note_task("ex1_note.py")
    assert copy.run(AS_A_MONITOR).strip() == "10"


def test_a_broker_that_cannot_be_reached_is_one_line(copy):
    done = copy.celery("queues", CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: the broker at redis://")
    assert "127.0.0.1:1/0 cannot be used: " in line
