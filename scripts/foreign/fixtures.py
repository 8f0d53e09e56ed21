"""Becomes t/integration/conftest.py: the app is the one that APP names, and its worker a process of its own.

Runs in: the environment of a baked project. The tests import what is public here by name.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from celery.contrib.testing.manager import Manager
from celery.utils.nodenames import anon_nodename

from celery_runtime.testing.worker import WorkerProcess

from .tasks import get_redis_connection

__all__ = ["TEST_BACKEND", "check_for_logs", "flaky", "get_active_redis_channels", "get_redis_connection"]

TEST_BACKEND = os.environ["CELERY_RESULT_BACKEND"]
PACKAGE = os.environ["FOREIGN_APP"]
FOLDER = Path(os.environ["FOREIGN_FOLDER"])
SECONDS = 240  # for one test; the longest waits for 150


def flaky(test: Any) -> Any:
    """Mark nothing: what differs is run again by who compares."""
    return test


def get_active_redis_channels() -> Any:
    return get_redis_connection().execute_command("PUBSUB CHANNELS")


def check_for_logs(caplog: Any, message: str, max_wait: float = 1.0, interval: float = 0.1) -> bool:
    deadline = time.monotonic() + max_wait
    while time.monotonic() < deadline:
        if any(re.search(message, record.message) for record in caplog.records):
            return True
        time.sleep(interval)
    return False


def pytest_configure(config: Any) -> None:
    config.addinivalue_line("markers", "flaky(**options): Celery's own runs repeat these")


def pytest_collection_modifyitems(items: list[Any]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(SECONDS), append=False)  # before the five minutes of the tests


def pytest_runtest_logreport(report: Any) -> None:
    """Write what became of a part of a test: a line of JSON."""
    if report.when != "call" and report.passed:
        return
    crash = getattr(report.longrepr, "reprcrash", None)
    reason = crash.message if crash else str(report.longrepr or "")
    first = next(iter(reason.strip().splitlines()), "")
    line = {"test": report.nodeid, "outcome": report.outcome, "reason": first, "seconds": report.duration}
    with (FOLDER / "reports.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


@pytest.fixture(scope="session")
def celery_session_app() -> Any:
    app = import_module(PACKAGE).app
    import_module("t.integration.classes")
    return app


# The tests of a module cannot harm those of the next: each module has a worker of its own.
@pytest.fixture(scope="module")
def celery_session_worker(celery_session_app: Any, request: Any) -> Iterator[WorkerProcess]:
    log = FOLDER / f"{request.module.__name__}.log"
    # Inspection knows a worker by the name that it would have in this process.
    options = ("--include", "t.integration.tasks,t.integration.classes", "--hostname", anon_nodename())
    with WorkerProcess(PACKAGE, log, *options, concurrency=4) as worker:
        yield worker


@pytest.fixture
def celery_app(celery_session_app: Any) -> Iterator[Any]:
    """Lend the app, and take back what a test has set."""
    changes = celery_session_app.conf.changes
    before = dict(changes)
    yield celery_session_app
    changes.clear()
    changes.update(before)


@pytest.fixture
def app(celery_app: Any) -> Any:
    return celery_app


@pytest.fixture
def manager(app: Any, celery_session_worker: WorkerProcess) -> Iterator[Manager]:
    yield Manager(app)
    while app.control.purge():
        pass
    # Celery's own waits for further answers: a second for each test.
    while any((app.control.inspect(limit=1).active() or {}).values()):
        time.sleep(0.1)


@pytest.fixture(autouse=True)
def current_app(celery_session_app: Any) -> None:
    celery_session_app.set_current()
    celery_session_app.set_default()
