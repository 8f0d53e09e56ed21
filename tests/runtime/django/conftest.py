"""Lends the admin a project whose task fails until it is mended, and browsers of members of the staff."""

import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from celery_runtime.testing.project import ProjectCopy
    from celery_runtime.testing.worker import WorkerProcess

# Django is set up after this file is read, so the fixtures import it.
Running = tuple["ProjectCopy", "WorkerProcess"]


@pytest.fixture(scope="module", params=["embedded", "rabbitmq"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    from ..lending import running_copy
    from .pages import TASKS

    with running_copy(request.param, tmp_path_factory.mktemp("admin"), TASKS) as one:
        yield one


@pytest.fixture
def project(running: Running, monkeypatch: pytest.MonkeyPatch) -> "Iterator[ProjectCopy]":
    """The copy, its task broken, and no dead letter."""
    from shop import app

    from ..lending import use_broker

    copy, _ = running
    use_broker(copy.environment["CELERY_BROKER_URL"], monkeypatch)
    app.dead_letters.purge(all=True)
    copy.notes_file.with_name("mended").unlink(missing_ok=True)
    yield copy
    app.dead_letters.purge(all=True)


@pytest.fixture
def broken(project: "ProjectCopy", running: Running) -> Callable[..., str]:
    """Has the broken task run; returns its id once it is a dead letter."""
    from shop import app

    from .pages import CHARGE

    def fail(**options: object) -> str:
        sent = app.send_task(CHARGE, ["4711"], {"api_token": "s3cret"}, **options)
        running[1].wait_for(lambda: app.dead_letters.get(sent.id) is not None)
        return str(sent.id)

    return fail


@pytest.fixture
def client() -> "Iterator[Callable[..., Client]]":
    """Logs in a member of the staff with permissions such as "view"; browsers without one are let in nowhere."""
    from django.contrib.auth.models import Permission, User
    from django.test import Client, override_settings

    def log_in(*permissions: str, is_staff: bool = True) -> "Client":
        user = User.objects.create_user(str(uuid.uuid4()), is_staff=is_staff)
        codenames = [f"{one}_deadletter" for one in permissions]
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        browser = Client()
        browser.force_login(user)
        return browser

    with override_settings(ALLOWED_HOSTS=["testserver"]):
        yield log_in
