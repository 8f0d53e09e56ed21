"""A delayed task waits on the broker, and not in a worker. It runs once, when it is due, in order of priority."""

import json
import time

import pytest

from celery_runtime.testing.http import AnsweringServer

from .fetching import FETCHING

BUSY = """
    import time
    from pathlib import Path

    from PACKAGE.celery_config import app

    @app.task(queue="tasks")
    def busy():
        with Path("NOTES_FILE").open("a") as file:
            file.write("busy\\n")
        while not Path("NOTES_FILE.free").exists():
            time.sleep(0.02)
"""


def depths(copy, **environment):
    """Return how many messages are delayed, and how many wait for a worker."""
    told = json.loads(copy.celery("queues", "--json", **environment).stdout)
    return told["delayed"], sum(depth["total"] for depth in told["queues"])


def test_a_delay_longer_than_a_broker_holds_a_message_runs_the_body_once(copy, start, broker_url):
    copy.write("ex1.py", FETCHING)
    held = {"visibility_timeout": 2, "unacked_restore_interval": 1}
    copy.configure(rabbitmq_consumer_timeout=2.0, broker_transport_options=held)
    limits = {"CELERY_TASK_TIME_LIMIT": "2", "CELERY_TASK_SOFT_TIME_LIMIT": "1"}
    worker = start(CELERY_BROKER_URL=broker_url, **limits)
    with AnsweringServer((429, {"Retry-After": "3"}), 200) as server:
        copy.run(
            "from PACKAGE.celery_tasks.ex1 import fetch, limited\n"
            f"fetch.delay({server.url!r}); limited.apply_async(countdown=2)",
            CELERY_BROKER_URL=broker_url,
        )
        worker.wait_for(lambda: len(copy.notes()) == 3)
        time.sleep(2.5)  # in which a message that was handed out twice would run again
    assert copy.notes() == ["fetch", "limited", "fetch"]
    assert server.pauses()[0] >= 3


def test_what_waits_is_not_in_a_worker(copy, start, broker_url):
    copy.environment["CELERY_BROKER_URL"] = broker_url
    copy.write_note_task("ex1_note.py")
    copy.run(
        """
        from PACKAGE.celery_tasks.ex1_note import note
        for number in range(30):
            note.apply_async(("later",), countdown=600)
        note.delay("now")
        """
    )
    assert depths(copy) == (30, 1)
    worker = start()
    worker.wait_for(lambda: copy.notes() == ["now"])
    assert worker.output().count(" received") == 1
    assert depths(copy) == (30, 0)
    assert "30 delayed, not due yet" in copy.celery("queues").stdout
    assert "- empty -" in copy.celery("inspect", "scheduled").stdout


OWN = """
    import json
    import random
    from pathlib import Path

    from PACKAGE.celery_config import app
    from celery_runtime import Retry

    random.uniform = lambda least, most: most  # so that each delay is the same

    def note(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")

    @app.task(queue="tasks", bind=True)
    def show(self):
        sent = {name: self.request.delivery_info[name] for name in ("exchange", "routing_key", "redelivered")}
        note(json.dumps([self.request.eta, sent, sorted(self.request.headers or {})]))

    @app.task(queue="tasks", bind=True, policy={"network": Retry(attempts=4, base=1, cap=1)})
    def again(self):
        note("run")
        raise ConnectionResetError
"""


def test_a_task_sees_its_eta_and_nothing_of_the_way(copy, start, broker_url):
    copy.write("ex1.py", OWN)
    worker = start(CELERY_BROKER_URL=broker_url)
    eta = copy.run(
        """
        from datetime import datetime, timedelta, UTC
        from PACKAGE.celery_tasks.ex1 import show
        show.delay()
        eta = datetime.now(UTC) + timedelta(seconds=1.5)
        show.apply_async(eta=eta)
        print(eta.isoformat())
        """,
        CELERY_BROKER_URL=broker_url,
    )
    worker.wait_for(lambda: len(copy.notes()) == 2)
    (no_eta, *of_plain), (eta_of_delayed, *of_delayed) = map(json.loads, copy.notes())
    assert (no_eta, eta_of_delayed) == (None, eta.strip())
    assert of_delayed == of_plain


def test_the_same_delay_again_and_again_loses_nothing(copy, start, broker_url):
    copy.write("ex1.py", OWN)
    worker = start(CELERY_BROKER_URL=broker_url)
    copy.run("from PACKAGE.celery_tasks.ex1 import again; again.delay()", CELERY_BROKER_URL=broker_url)
    worker.wait_for(lambda: copy.notes() == ["run"] * 4)
    worker.wait_for(lambda: "stored as a dead letter" in worker.output())  # or the next test finds it


# As Celery publishes without this library, and as its version 3 did, which wrote no headers.
FOREIGN = """
    import time
    import uuid
    from datetime import datetime, timedelta, UTC

    import celery
    from kombu import Exchange, Queue

    stock = celery.Celery(broker="{url}")
    stock.conf.broker_transport_options = {{"global_keyprefix": "PACKAGE:", "priority_steps": list(range(10))}}
    arguments = {{"x-max-priority": 10, "x-queue-type": "classic"}}
    queue = "PACKAGE.tasks" if "{url}".startswith("amqp") else "tasks"
    stock.conf.task_queues = [Queue(queue, Exchange(queue), routing_key="tasks", queue_arguments=arguments)]
    stock.conf.task_default_queue = queue
    name = "PACKAGE.celery_tasks.ex1_note.note"
    eta = datetime.now(UTC) + timedelta(seconds=12)
    stock.send_task(name, ("aware",), eta=eta)
    stock.send_task(name, ("naive",), eta=eta.replace(tzinfo=None))
    for number in range(8):
        stock.send_task(name, ("later",), countdown=600)
    stock.send_task(name, ("now",))
    stock.conf.task_protocol = 1
    del stock.amqp  # which keeps the protocol
    stock.send_task(name, ("old",), eta=eta)
"""


@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_others_publish_with_a_delay_is_not_held_either(copy, start, broker_url, concurrency):
    copy.write_note_task("ex1_note.py")
    worker = start(CELERY_BROKER_URL=broker_url, concurrency=concurrency)
    copy.run(FOREIGN.format(url=broker_url), CELERY_BROKER_URL=broker_url)
    worker.wait_for(lambda: copy.notes())
    time.sleep(1)  # in which another would run that is not held up
    assert copy.notes() == ["now"]
    worker.wait_for(lambda: len(copy.notes()) == 4)
    assert sorted(copy.notes()) == ["aware", "naive", "now", "old"]
    assert depths(copy, CELERY_BROKER_URL=broker_url) == (8, 0)


def test_what_has_become_due_is_shown_where_no_worker_is(copy, broker_url):
    copy.environment["CELERY_BROKER_URL"] = broker_url
    copy.write_note_task("ex1_note.py")
    copy.run("from PACKAGE.celery_tasks.ex1_note import note; note.apply_async(('x',), countdown=1)")
    time.sleep(3)
    assert depths(copy) == (0, 1)


@pytest.mark.parametrize("broker_url", ["embedded", "redis"], indirect=True)
def test_a_worker_that_waits_wakes_in_time(copy, start, broker_url):
    copy.write_note_task("ex1_note.py")
    copy.configure(broker_transport_options={"polling_interval": 600, "socket_timeout": 900})
    worker = start(CELERY_BROKER_URL=broker_url)
    copy.run(
        "from PACKAGE.celery_tasks.ex1_note import note; note.apply_async(('x',), countdown=2)",
        CELERY_BROKER_URL=broker_url,
    )
    worker.wait_for(lambda: copy.notes() == ["x"])


def test_what_is_revoked_while_it_waits_does_not_run(copy, start, broker_url):
    copy.write_note_task("ex1_note.py")
    worker = start(CELERY_BROKER_URL=broker_url)
    copy.run(
        """
        from PACKAGE import app
        from PACKAGE.celery_tasks.ex1_note import note
        note.apply_async(("revoked",), countdown=3).revoke()
        note.apply_async(("kept",), countdown=3.5)
        """,
        CELERY_BROKER_URL=broker_url,
    )
    worker.wait_for(lambda: copy.notes())
    assert copy.notes() == ["kept"]
    assert "Discarding revoked task" in worker.output()


def test_what_expires_while_it_waits_is_told(copy, start, broker_url):
    copy.write_note_task("ex1_note.py")
    worker = start(CELERY_BROKER_URL=broker_url)
    copy.run(
        "from PACKAGE.celery_tasks.ex1_note import note; note.apply_async(('late',), countdown=2, expires=1)",
        CELERY_BROKER_URL=broker_url,
    )
    worker.wait_for(lambda: "Discarding revoked task" in worker.output())
    assert copy.notes() == []


def test_what_has_become_due_waits_in_order_of_priority(copy, start, broker_url):
    copy.write_note_task("ex1_note.py")
    copy.write("ex2_busy.py", BUSY)
    worker = start(CELERY_BROKER_URL=broker_url)
    copy.run(
        """
        from PACKAGE.celery_tasks.ex1_note import note
        from PACKAGE.celery_tasks.ex2_busy import busy
        note.apply_async(("low",), priority=1, countdown=3)
        busy.delay()
        """,
        CELERY_BROKER_URL=broker_url,
    )
    worker.wait_for(lambda: "busy" in copy.notes())
    time.sleep(3.2)  # until the other is due
    copy.run(
        "from PACKAGE.celery_tasks.ex1_note import note; note.apply_async(('high',), priority=9)",
        CELERY_BROKER_URL=broker_url,
    )
    copy.notes_file.with_name("notes.free").touch()
    worker.wait_for(lambda: len(copy.notes()) == 3)
    assert copy.notes() == ["busy", "high", "low"]
