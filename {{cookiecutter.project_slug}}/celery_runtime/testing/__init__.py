"""Test tasks on a real worker and a real broker: a plugin of pytest.

Name it in `tests/conftest.py`, and the app in `pyproject.toml`:

    pytest_plugins = ["celery_runtime.testing"]

    [tool.pytest]
    celery_app = "shop"
    celery_include = ["tests.tasks"]  # modules with tasks of your tests, which the worker imports as well

A test then publishes tasks as your code does, and the worker runs them:

    def test_an_order_is_shipped(worker):
        assert ship.delay("tea").get(timeout=10) == "shipped"

The test run has a broker of its own, a database of Django and of results, and no setting of yours but those in the
code: APP_ENV is "test", so no `.env` is read, and variables that begin with CELERY_ are dropped. TEST_BROKER_URL
names another broker, which must be empty. With pytest-xdist each process has its own. Do not import the app in
conftest.py itself: it would read the settings of a developer.

Fixtures: `worker` (with empty queues), `broker_url`, `project_copy` and `start_worker` (a copy of the project, to
write task files into, and workers of it). Helpers to import: `celery_runtime.testing.http.AnsweringServer`, a service
that gives the answers you name; `celery_runtime.testing.brokers.RedisServer`, a Redis that can be killed.

Runs in: the tests.
"""

import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from celery_runtime.testing.brokers import empty_broker, purge
from celery_runtime.testing.isolation import Isolation
from celery_runtime.testing.project import ProjectCopy
from celery_runtime.testing.worker import NothingHappened, WorkerProcess

SHORT_TAIL = 15  # lines of a log beside a traceback
ISOLATION = pytest.StashKey[Isolation]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("celery_app", "the package that exports the Celery app")
    parser.addini("celery_include", "modules with tasks of the tests", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    _end_on_signals()
    if hasattr(config, "workerinput"):
        # By it pytest-xdist ends what a process of its runs; a shell has all ignore it that runs in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _is_controller(config):
        return
    if not (package := config.getini("celery_app")):
        raise pytest.UsageError('celery_runtime.testing wants celery_app = "PACKAGE" in the settings of pytest')
    isolation = config.stash[ISOLATION] = Isolation(package, config.getini("celery_include"))
    isolation.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if isolation := config.stash.get(ISOLATION, None):
        isolation.end()


def _is_controller(config: pytest.Config) -> bool:
    """Whether pytest-xdist has the tests run in other processes than this one."""
    return getattr(config.option, "dist", "no") != "no" and not hasattr(config, "workerinput")


def _end_on_signals() -> None:
    """End the run as Ctrl+C does when it is told to stop, or its terminal closes: else its processes would live on."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> Generator[None, Any, Any]:
    """Show the end of the log of the worker with a test that fails."""
    report = yield
    worker = getattr(item, "funcargs", {}).get("worker")
    if call.excinfo is not None and call.excinfo.errisinstance(NothingHappened):
        crash = report.longrepr.reprcrash
        crash.message = crash.message.partition("\n")[0]  # in CI the summary would show the log a second time
    elif report.failed and isinstance(worker, WorkerProcess):
        report.sections.append(("the worker printed", worker.tail(SHORT_TAIL)))
    return report


@pytest.fixture(scope="session")
def session_worker(request: pytest.FixtureRequest) -> Iterator[WorkerProcess]:
    isolation = request.config.stash[ISOLATION]
    options = [part for module in isolation.include for part in ("--include", module)]
    log, environment = isolation.folder / "worker.log", isolation.worker_environment()
    with WorkerProcess(isolation.package, log, *options, environment=environment) as process:
        yield process


@pytest.fixture
def worker(request: pytest.FixtureRequest, session_worker: WorkerProcess) -> Iterator[WorkerProcess]:
    """Lend a worker of the project with empty queues: it runs `task.delay(…).get(timeout=10)` of a test.

    It is the same for the whole run, unless a test has left it busy or stopped.
    """
    isolation = request.config.stash[ISOLATION]
    replies = session_worker.is_running() and isolation.app.control.inspect(limit=1, timeout=2).active()
    if not replies or any(replies.values()):
        session_worker.stop()
    purge(isolation.app)
    if not session_worker.is_running():
        session_worker.start()
    session_worker.seen = len(session_worker.output())
    environment = session_worker.environment
    yield session_worker
    session_worker.is_running()  # or the test has ended it, and fails
    if session_worker.environment is not environment:
        session_worker.environment = environment
        session_worker.stop()


@pytest.fixture
def broker_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of the broker on which `worker` runs the project's tasks."""
    return request.config.stash[ISOLATION].broker_url


@pytest.fixture
def project_copy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ProjectCopy]:
    """Copy the project without task files, for tests that write some, with an empty Redis of its own."""
    isolation = request.config.stash[ISOLATION]
    with empty_broker(isolation.server.url_of(2), isolation.app) as url:
        project = ProjectCopy(isolation.package, tmp_path).create()
        project.environment["CELERY_BROKER_URL"] = url
        yield project


@pytest.fixture
def start_worker(project_copy: ProjectCopy) -> Iterator[Callable[..., WorkerProcess]]:
    """Start a worker on the copy: `start_worker("--tasks", "ex1*", concurrency=2, CELERY_BROKER_URL=…)`."""
    with ExitStack() as workers:

        def start(*options: str, concurrency: int = 1, **environment: str) -> WorkerProcess:
            log = project_copy.root / f"worker-{len(project_copy.logs)}.log"
            project_copy.logs.append(log)
            process = WorkerProcess(
                project_copy.package,
                log,
                *options,
                concurrency=concurrency,
                environment={**project_copy.environment, **environment},
            )
            return workers.enter_context(process)

        yield start
