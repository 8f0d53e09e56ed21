"""What is waited for, counted and locked, seen from outside: by real workers and the servers they talk to."""

import sqlite3

import pytest

from celery_runtime.testing.http import AnsweringServer

TASKS = """
    import sqlite3
    import urllib.request
    from pathlib import Path

    from PACKAGE.celery_config import app
    from celery_runtime import Retry, TransientError, Wait

    def write(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")

    SOON = {
        "external.unavailable": Retry(attempts=3, base=0.4, cap=0.4),
        "external.busy": Wait(max_age=20),
        "network": Retry(attempts=3, base=0.1, cap=0.1),
        "database.conflict": Retry(attempts=20, base=0.5, cap=0.5),
        "application": Retry(attempts=3, base=0.1, cap=0.1),
    }

    @app.task(queue="tasks", bind=True, policy=SOON)
    def fetch(self, url):
        write(f"fetch {self.attempt} {self.request.delivery_info['priority']}")
        urllib.request.urlopen(url, timeout=5).close()
        write("fetched")

    @app.task(queue="tasks", policy=SOON)
    def insert(path):
        write("insert")
        with sqlite3.connect(path, timeout=0) as connection:
            connection.execute("INSERT INTO orders VALUES (1)")
        connection.close()
        write("inserted")

    @app.task(queue="tasks", bind=True, policy=SOON)
    def fail(self, kind):
        write(f"fail {kind}")
        raise TransientError("again", kind=f"{kind}_{self.attempt}")

    @app.task(queue="tasks")
    def note(text):
        write(text)
"""


@pytest.fixture
def copy(running):
    copy, _ = running
    copy.notes_file.unlink(missing_ok=True)
    return copy


def publish(copy, code):
    copy.run(f"from PACKAGE.celery_tasks.ex1 import *\n{code}")


def given_up(worker, count=1):
    return lambda: worker.output()[worker.seen :].count("raised unexpected") == count


def test_retry_after_is_waited_for_and_spends_no_attempt_and_no_process(copy, worker):
    busy = (429, {"Retry-After": "1"})
    with AnsweringServer(busy, busy, busy, 200) as server:
        publish(copy, f"fetch.delay({server.url!r}); note.delay('meanwhile')")
        worker.wait_for(lambda: "fetched" in copy.notes())
    assert len(server.times) == 4  # more than the three attempts of any other row
    assert all(pause >= 1 for pause in server.pauses())
    assert copy.notes()[1] == "meanwhile"


def test_a_retry_after_beyond_the_age_gives_up_at_once(copy, worker):
    with AnsweringServer((503, {"Retry-After": "3600"})) as server:
        publish(copy, f"fetch.delay({server.url!r})")
        worker.wait_for(given_up(worker))
    assert len(server.times) == 1


def test_the_kinds_of_one_row_share_its_attempts(copy, worker):
    publish(copy, "fail.delay('application.of_this_run')")
    worker.wait_for(given_up(worker))
    assert len(copy.notes()) == 3


def test_attempts_are_counted_for_each_row(copy, worker):
    with AnsweringServer(500, 0, 500, 0, 500) as server:
        publish(copy, f"fetch.delay({server.url!r})")
        worker.wait_for(given_up(worker))
    assert len(server.times) == 5  # the third 500 was the last


def test_a_database_that_is_locked_is_tried_until_it_is_free(copy, worker, tmp_path):
    path = str(tmp_path / "orders.sqlite3")
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("CREATE TABLE orders (id)")
    lock.execute("BEGIN EXCLUSIVE")
    publish(copy, f"insert.delay({path!r})")
    worker.wait_for(lambda: copy.notes().count("insert") >= 2)
    lock.execute("COMMIT")
    worker.wait_for(lambda: "inserted" in copy.notes())
    assert lock.execute("SELECT count(*) FROM orders").fetchone() == (1,)
    lock.close()
