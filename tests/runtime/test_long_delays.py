"""What needs settings of its own: the greatest age, and delays that no broker holds."""

import time

from celery_runtime.testing.http import AnsweringServer

FETCH = """
    import urllib.request
    from pathlib import Path

    from PACKAGE.celery_config import app
    from celery_runtime import Retry

    OFTEN = Retry(attempts=10_000, base=0.1, cap=0.1)

    @app.task(queue="tasks", bind=True, policy={"external.unavailable": OFTEN, "network": OFTEN})
    def fetch(self, *urls):
        with Path("NOTES_FILE").open("a") as file:
            file.write("fetch\\n")
        urllib.request.urlopen(urls[self.attempt % len(urls)], timeout=5).close()

    @app.task(queue="tasks", rate_limit="10/s")
    def limited():
        with Path("NOTES_FILE").open("a") as file:
            file.write("limited\\n")
"""

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


def test_kinds_that_alternate_end_at_the_greatest_age(copy, start, broker_url):
    copy.write("ex1.py", FETCH)
    worker = start(CELERY_BROKER_URL=broker_url)
    with AnsweringServer() as closed:
        refused = closed.url
    with AnsweringServer(503) as server:
        copy.run(
            f"from PACKAGE.celery_tasks.ex1 import fetch; fetch.delay({server.url!r}, {refused!r})",
            CELERY_BROKER_URL=broker_url,
        )
        worker.wait_for(lambda: len(server.times) > 4)
        worker.stop_gently()
        assert "raised unexpected" not in worker.output()
        assert '"code": "ECONNREFUSED"' in worker.output()
        copy.change("error_policy.py", "MAX_AGE = 6 * 60 * 60", "MAX_AGE = 1")
        time.sleep(1)  # so that the first failure is older, and the last one is not
        runs = len(copy.notes())
        second = start(CELERY_BROKER_URL=broker_url)
        second.wait_for(lambda: "raised unexpected" in second.output())
    assert len(copy.notes()) == runs + 1


def test_a_delay_longer_than_a_broker_holds_a_message_runs_the_body_once(copy, start, broker_url):
    copy.write("ex1.py", FETCH)
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


def test_many_that_wait_leave_room_for_what_is_due(copy, start, broker_url):
    copy.write_note_task("ex1_note.py")
    worker = start(CELERY_BROKER_URL=broker_url)
    copy.run(
        """
        from PACKAGE.celery_tasks.ex1_note import note
        for number in range(30):
            note.apply_async(("later",), countdown=600)
        """,
        CELERY_BROKER_URL=broker_url,
    )
    worker.wait_for(lambda: worker.output().count(" received") >= 10)
    copy.run("from PACKAGE.celery_tasks.ex1_note import note; note.delay('now')", CELERY_BROKER_URL=broker_url)
    worker.wait_for(lambda: copy.notes() == ["now"])


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
