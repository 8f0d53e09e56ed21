"""Bakes each combination of options once a run, and lends brokers on which a test is alone."""

import fcntl
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.baking import BakedProject, bake
from scripts.faults import install_libraries
from scripts.rabbitmq import virtual_host
from scripts.rabbitmq_node import RabbitMQNode, rabbitmq_node
from scripts.redis_server import RedisServer, redis_server

from .availability import lent

collect_ignore = ["runtime"]  # the tests of the library have settings of their own: `make test-runtime`

OPTIONS = {
    "framework": ("django", "plain"),
    "broker": ("redis", "rabbitmq"),
    "result_backend": ("redis", "database"),
}
COMBINATIONS = [dict(zip(OPTIONS, values, strict=True)) for values in itertools.product(*OPTIONS.values())]


def combination_id(answers: dict[str, str]) -> str:
    return "-".join(answers.values())


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of one test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def baked(shared_folder: Path) -> Callable[..., BakedProject]:
    """Bakes a combination once a run and lends it to be read: `baked(framework="plain")`.

    With `installed=True` it has its own environment, with `libraries=True` also those whose errors are told
    apart. A test that changes files takes `bake_own`.
    """

    def lend(*, installed: bool = False, libraries: bool = False, **answers: str) -> BakedProject:
        answers = {option: answers.get(option, values[0]) for option, values in OPTIONS.items()}
        name = combination_id(answers) + ("-libraries" if libraries else "")
        folder = shared_folder / "baked" / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            project = BakedProject(folder / "shop", "shop")
            if not project.path.exists():
                bake(folder, {"project_slug": "shop", **answers})
            if (installed or libraries) and not (folder / "installed").exists():
                project.install()
                if libraries:
                    install_libraries(project)
                (folder / "installed").touch()
        return project

    return lend


@pytest.fixture
def bake_own(baked: Callable[..., BakedProject], tmp_path: Path) -> Callable[..., BakedProject]:
    """Bakes a project that the test may change: `bake_own(project_slug="djcelery")`.

    It uses the environment of one that was baked before, because to make one takes seconds, and Python then compiles all
    of Celery anew. With `installed=True` it has its own, as what is run by `make` needs it.
    """

    def bake_one(*, installed: bool = False, **answers: str) -> BakedProject:
        project = bake(tmp_path, {"project_slug": "shop", **answers})
        if installed:
            project.install()
        else:
            alike = {option: answers[option] for option in ("framework", "result_backend") if option in answers}
            project.borrow(baked(installed=True, **alike).path / ".venv")
        return project

    return bake_one


@pytest.fixture
def copy_with_libraries(baked: Callable[..., BakedProject], tmp_path: Path) -> BakedProject:
    """A Django project that the test may change, with the libraries whose errors are told apart."""
    lent = baked(libraries=True, framework="django")
    project = BakedProject(tmp_path / "project", lent.slug)
    for name in (lent.slug, "celery_runtime"):
        shutil.copytree(lent.path / name, project.path / name)
    project.borrow(lent.path / ".venv")
    return project


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A Redis server of the test's own, which is not stopped: it keeps nothing on disk."""
    with lent(redis_server("--appendonly", "no")) as server:
        yield server.url


@pytest.fixture
def rabbitmq_url() -> Iterator[str]:
    """A virtual host of the test's own."""
    with lent(virtual_host()) as url:
        yield url


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """An empty broker, once a Redis and once a RabbitMQ."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_server(request: pytest.FixtureRequest) -> "Iterator[RedisServer | RabbitMQNode]":
    """A broker that the test may stop, start and kill; it keeps its messages on disk."""
    with lent(redis_server() if request.param == "redis" else rabbitmq_node()) as server:
        yield server
