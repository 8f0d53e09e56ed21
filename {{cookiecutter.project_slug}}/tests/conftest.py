"""Every test run has a broker, a database and a scratch folder of its own, and no other setting."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from celery_runtime.brokers.embedded import EmbeddedBroker, temporary_folder
from {{ cookiecutter.project_slug }} import app, results

from .brokers import empty_broker
from .isolation import use_databases_in
from .project_copy import ProjectCopy
from .worker_process import WorkerProcess

ROOT = Path(__file__).parent.parent

scratch = Path(tempfile.mkdtemp(prefix="celery-test-", dir=temporary_folder()))
server = EmbeddedBroker(scratch)
lent = ExitStack()


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith("CELERY_")]:
        del os.environ[name]
    os.environ["APP_ENV"] = "test"
    os.environ["CELERY_HEALTH_FOLDER"] = str(scratch / "health")
    os.environ["CELERY_BROKER_URL"] = server.url(0)
    if results.DEFAULT is None:
        os.environ["CELERY_RESULT_BACKEND"] = server.url(1)
    use_databases_in(scratch)
    server.start()
    if given := os.environ.get("TEST_BROKER_URL"):
        os.environ["CELERY_BROKER_URL"] = given  # before its queues are asked for, which loads the settings
        lent.enter_context(empty_broker(given))


def pytest_unconfigure() -> None:
    lent.close()
    server.stop()
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture(scope="session")
def worker() -> Iterator[WorkerProcess]:
    """A real worker of this project: `task.delay(…).get(timeout=10)` in a test is run by it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = ("--include", "tests.tasks")
    with WorkerProcess(app.main, scratch / "worker.log", *options, environment=environment) as process:
        yield process


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[ProjectCopy]:
    """A copy of the project without task files, for tests that write some, with an empty broker of its own."""
    with empty_broker(server.url(2)) as url:
        project = ProjectCopy(app.main, tmp_path).create()
        project.environment["CELERY_BROKER_URL"] = url
        yield project


@pytest.fixture
def start(copy: ProjectCopy) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts a worker on the copy: `start("--tasks", "ex1*", CELERY_BROKER_URL=…)`."""
    with ExitStack() as workers:

        def start_worker(*options: str, concurrency: int = 1, **environment: str) -> WorkerProcess:
            log = copy.root / f"worker-{len(copy.logs)}.log"
            copy.logs.append(log)
            process = WorkerProcess(
                copy.package,
                log,
                *options,
                concurrency=concurrency,
                environment={**copy.environment, **environment},
            )
            return workers.enter_context(process)

        yield start_worker
