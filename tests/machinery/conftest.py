"""Lends each test of the machinery a broker of its own: an embedded one, and those that are named."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from celery_runtime.brokers.embedded import EmbeddedBroker
from shop import app

from ..brokers import empty_broker
from ..conftest import scratch
from ..project_copy import ProjectCopy
from ..worker_process import WorkerProcess

BROKERS = ("embedded", "redis", "rabbitmq")


@contextmanager
def embedded_server() -> Iterator[EmbeddedBroker]:
    """Lend an embedded server that runs, in a folder of its own."""
    own = EmbeddedBroker(Path(tempfile.mkdtemp(dir=scratch)))
    own.start()
    try:
        yield own
    finally:
        own.stop()


@pytest.fixture
def server() -> Iterator[EmbeddedBroker]:
    """An embedded server that the test may stop, start, and ask to refuse."""
    with embedded_server() as own:
        yield own


@contextmanager
def lent_broker(name: str) -> Iterator[str]:
    """Lend an empty broker: one of `BROKERS`. The last two come from TEST_REDIS_URL and TEST_RABBITMQ_URL."""
    if name == "embedded":
        with embedded_server() as own:
            yield own.url()
        return
    variable = f"TEST_{name.upper()}_URL"
    if variable not in os.environ:
        pytest.skip(f"{variable} names no broker")
    with empty_broker(os.environ[variable]) as url:
        yield url


@contextmanager
def running_copy(broker: str, folder: Path, tasks: str) -> Iterator[tuple[ProjectCopy, WorkerProcess]]:
    """Lend a copy of the project with one task file, and its worker with one process."""
    with lent_broker(broker) as url:
        project = ProjectCopy(app.main, folder).create()
        project.environment["CELERY_BROKER_URL"] = url
        project.write("ex1.py", tasks)
        with WorkerProcess(app.main, folder / "worker.log", environment=project.environment) as process:
            yield project, process


@pytest.fixture(scope="module", params=BROKERS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ProjectCopy, WorkerProcess]]:
    """A copy of the project with the TASKS of the test module as its task file, and its worker, on each broker."""
    with running_copy(request.param, tmp_path_factory.mktemp("copy"), request.module.TASKS) as lent:
        yield lent


@pytest.fixture
def worker(running: tuple[ProjectCopy, WorkerProcess]) -> WorkerProcess:
    """The worker of the copy that runs. What it printed before this test ends at `seen`."""
    _, worker = running
    worker.seen = len(worker.output())
    return worker


@pytest.fixture(params=BROKERS)
def broker_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty broker of each sort."""
    with lent_broker(request.param) as url:
        yield url
