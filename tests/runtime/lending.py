"""Lends each test a broker of its own: a server such as the embedded one, a RabbitMQ, and those that are named."""

import importlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from celery_runtime import defaults
from celery_runtime.dead_letters import DeadLetters
from celery_runtime.testing.brokers import RedisServer, empty_broker
from celery_runtime.testing.project import ProjectCopy
from celery_runtime.testing.worker import WorkerProcess
from scripts import servers
from scripts.rabbitmq import virtual_host
from scripts.rabbitmq_node import rabbitmq_node
from tests.availability import lent
from tests.runtime.sample import PACKAGE

BROKERS = ("embedded", "redis", "rabbitmq")
PARAMETRIZED = ("broker_url", "running", "worker")  # fixtures, by these
# These modules test what happens between worker, processes and broker, or in a file. No framework takes part in it.
OF_NO_FRAMEWORK = {
    *(
        "dead_letter_commands",
        "embedded_broker",
        "ends_of_a_run",
        "engine_hooks",
        "errors",
        "errors_page",
        "expiry",
        "guard",
        "health",
    ),
    *(
        "delays",
        "leases",
        "malformed_messages",
        "new_task",
        "own_errors",
        "patience",
        "policy_decisions",
        "priorities",
        "public_face",
        "rabbitmq_delays",
    ),
    *(
        "refusals",
        "results_away",
        "rights",
        "selection",
        "shutdown",
        "time_limits",
        "tls",
        "two_apps",
        "two_projects",
        "urls",
    ),
}
# These start servers of their own.
WITH_OWN_SERVERS = {"rabbitmq_delays", "rights", "tls"}
open_services = ExitStack()


def is_lent(item: pytest.Item, framework: str) -> bool:
    """Whether this test is run: where the framework matters, and where it has a broker.

    A Redis, and a RabbitMQ with Django, are those of TEST_REDIS_URL and TEST_RABBITMQ_URL.
    """
    module = item.path.stem.removeprefix("test_")
    if framework == "django" and module in OF_NO_FRAMEWORK:
        return False
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    brokers = {parameters[name] for name in PARAMETRIZED if name in parameters}
    if servers.root() and not brokers and module not in WITH_OWN_SERVERS:
        return False  # it has nothing to do with the version of a server
    brokers -= {"embedded"}
    # RabbitMQ takes long: with Django, only what is of Django and what has a worker of the sample itself is run on it.
    lent_by_us = framework == "plain" or item.path.parent.name == "django" or module == "guards"
    return all(f"TEST_{name.upper()}_URL" in os.environ or (name == "rabbitmq" and lent_by_us) for name in brokers)


@contextmanager
def embedded_server() -> Iterator[RedisServer]:
    """Lend a server such as the embedded broker, in a folder of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="celery-server-", ignore_cleanup_errors=True) as folder,
        RedisServer(Path(folder), binary=servers.redis_binary() if servers.root() else None) as server,
    ):
        yield server


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server that the test may stop, start, and ask to refuse."""
    with embedded_server() as own:
        yield own


@cache
def rabbitmq_url() -> str:
    """Return the URL of the virtual host of this process."""
    if given := os.environ.get("TEST_RABBITMQ_URL"):
        return given
    if servers.root():
        return str(open_services.enter_context(lent(rabbitmq_node())).url)
    return str(open_services.enter_context(lent(virtual_host())))


def pytest_unconfigure() -> None:
    open_services.close()


@contextmanager
def lent_broker(name: str) -> Iterator[str]:
    """Lend an empty broker: one of `BROKERS`."""
    if name == "embedded":
        with embedded_server() as own:
            yield own.url
        return
    url = rabbitmq_url() if name == "rabbitmq" else os.environ["TEST_REDIS_URL"]
    with empty_broker(url, app()) as lent_url:
        yield lent_url


def app() -> Any:
    """Return the app of the sample, which the plugin has imported."""
    return importlib.import_module(PACKAGE).app


def use_broker(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process publish to another broker, and find its dead letters there."""
    own = app()
    computed = defaults.settings(own.main, lambda name, default: url if name == "broker_url" else default)
    options = computed["broker_transport_options"]
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    monkeypatch.setitem(own.conf, "broker_transport_options", options)
    monkeypatch.setattr(own, "_pool", None)
    monkeypatch.setattr(own.amqp, "_producer_pool", None)
    monkeypatch.setitem(vars(own), "dead_letters", DeadLetters(own))


@contextmanager
def running_copy(broker: str, folder: Path, tasks: str) -> Iterator[tuple[ProjectCopy, WorkerProcess]]:
    """Lend a copy of the sample with one task file, and its worker with one process."""
    with lent_broker(broker) as url:
        project = ProjectCopy(PACKAGE, folder).create()
        project.environment["CELERY_BROKER_URL"] = url
        project.write("ex1.py", tasks)
        with WorkerProcess(PACKAGE, folder / "worker.log", environment=project.environment) as process:
            yield project, process


@pytest.fixture(scope="module", params=BROKERS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ProjectCopy, WorkerProcess]]:
    """A copy of the sample with the TASKS of the test module as its task file, and its worker, on each broker."""
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


@pytest.fixture
def copy(project_copy: ProjectCopy) -> ProjectCopy:
    return project_copy


@pytest.fixture
def start(start_worker: Callable[..., WorkerProcess]) -> Callable[..., WorkerProcess]:
    return start_worker
