"""Tasks of a Django project while their database is away, comes back, and refuses."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.baking import BakedProject

from .availability import unavailable
from .faults.address import Address
from .faults.fault import Unavailable
from .faults.postgresql_process import give_away, initialize, programs, server
from .workers import running_worker

pytestmark = pytest.mark.baked

TASKS = """
from pathlib import Path

from django.db import connection, transaction

from ..celery_config import app
from celery_runtime import Retry

SOON = {"database": Retry(attempts=200, base=0.3, cap=0.3)}


def write(text):
    with Path("NOTES").open("a") as file:
        file.write(f"{text}\\n")


def ask(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


@app.task(queue="tasks", policy=SOON)
def count():
    write(f"counted {ask('SELECT 1')}")


@app.task(queue="tasks", policy=SOON, bind=True)
def time_out(self):
    write(f"backend {ask('SELECT pg_backend_pid()')}")
    if self.attempt == 1:
        ask("SET statement_timeout = 10; SELECT pg_sleep(9)")


@app.task(queue="tasks", policy=SOON, bind=True)
def lose_connection(self):
    ask("SELECT 1")
    if self.attempt == 1:
        ask("SELECT pg_terminate_backend(pg_backend_pid())")
    write(f"ran on attempt {self.attempt}, {ask('SELECT 1')}")


@app.task(queue="tasks")
def note(text):
    write(text)


@app.task(queue="tasks")
def publish_on_commit():
    try:
        with transaction.atomic():
            note.delay_on_commit("never")
            raise ValueError
    except ValueError:
        pass
    with transaction.atomic():
        note.delay_on_commit("committed")
        write("before the commit")
"""


class Postgres:
    """A PostgreSQL that can be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.programs = programs()
        self.folder = folder
        give_away(folder)
        initialize(self.programs, folder / "data", "correct")

    @contextmanager
    def running(self, port: int | None = None) -> Iterator[Address]:
        with server(self.programs, self.folder / "data", "correct", port=port) as address:
            yield address


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        try:
            yield Postgres(Path(folder))
        except Unavailable as error:
            unavailable(str(error))


@pytest.fixture
def project(copy_with_libraries, tmp_path) -> BakedProject:
    """A project with these tasks, which keeps its connections to the database open."""
    own = copy_with_libraries
    (own.tasks / "ex1.py").write_text(TASKS.replace("NOTES", str(tmp_path / "notes")))
    with (own.package / "celery_config.py").open("a") as config:
        config.write("\napp.conf.CELERY_DB_REUSE_MAX = 1000\n")  # without it Celery closes them after each task
    return own


def environment_of(address: Address, broker_url: str) -> dict[str, str]:
    return {
        "CELERY_BROKER_URL": broker_url,
        "DATABASE_URL": f"postgres://{address.user}:{address.password}@{address.host}:{address.port}/postgres",
    }


def call(project: BakedProject, task: str, environment: dict[str, str]) -> None:
    project.celery("call", f"shop.celery_tasks.ex1.{task}", check=True, **environment)


def test_a_task_waits_for_a_database_that_is_away(project, postgres, redis_url, tmp_path):
    notes = tmp_path / "notes"
    with postgres.running() as address:
        environment = environment_of(address, redis_url)
    with running_worker(project, tmp_path / "log", **environment) as worker:
        call(project, "count", environment)
        worker.wait_for(lambda: worker.output().count(" retry: ") >= 3)
        assert "kind=database.unavailable" in worker.output()
        with postgres.running(address.port):
            worker.wait_for(notes.exists)
    assert notes.read_text() == "counted 1\n"


def test_the_next_run_has_a_connection_of_its_own(project, postgres, redis_url, tmp_path):
    notes = tmp_path / "notes"
    with postgres.running() as address:
        environment = environment_of(address, redis_url)
        with running_worker(project, tmp_path / "log", **environment) as worker:
            call(project, "time_out", environment)
            worker.wait_for(lambda: notes.exists() and len(notes.read_text().split("\n")) == 3)
            first, second = notes.read_text().splitlines()
            assert first != second
            assert "kind=database.timeout" in worker.output()
            call(project, "lose_connection", environment)
            worker.wait_for(lambda: "ran on attempt 2, 1" in notes.read_text())


def test_a_task_is_published_when_the_transaction_is_committed(project, postgres, redis_url, tmp_path):
    notes = tmp_path / "notes"
    with postgres.running() as address:
        environment = environment_of(address, redis_url)
        with running_worker(project, tmp_path / "log", concurrency=2, **environment) as worker:
            call(project, "publish_on_commit", environment)
            worker.wait_for(lambda: notes.exists() and len(notes.read_text().split("\n")) == 3)
    assert notes.read_text().splitlines() == ["before the commit", "committed"]
