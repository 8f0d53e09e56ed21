"""Keep a test run from everything else: its own environment, broker, databases and folder.

Runs in: the tests; with pytest-xdist, in each of its processes.
"""

import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from celery_runtime.brokers import embedded
from celery_runtime.brokers.urls import is_redis
from celery_runtime.environment import ConfigurationError
from celery_runtime.testing.brokers import RedisServer, empty_broker
from celery_runtime.testing.project import import_path, uses_django


class Isolation:
    """Hold what lives as long as the test run: its folder, its broker, and the project's app.

    Args:
        package: the package that exports the app.
        include: modules with tasks of the tests, which a worker imports as well.

    Raises:
        pytest.UsageError: the app was imported before, with the settings of a developer.
    """

    def __init__(self, package: str, include: list[str]) -> None:
        if package in sys.modules:
            raise pytest.UsageError(
                f"{package} was imported before its tests had a broker: import it in test modules and fixtures, "
                "not in conftest.py"
            )
        self.package = package
        self.include = include
        self._open = ExitStack()

    def start(self) -> None:
        """Start the broker, import the app, and give both scratch databases."""
        folder = tempfile.mkdtemp(prefix="celery-test-", dir=embedded.temporary_folder())
        self._open.callback(shutil.rmtree, folder, ignore_errors=True)
        self.folder = Path(folder)
        self.server = self._open.enter_context(RedisServer(self.folder))
        self._set_environment()
        self.app: Any = importlib.import_module(self.package).app
        self._use_scratch_databases()
        if self.broker_url != self.server.url:
            self._open.enter_context(empty_broker(self.broker_url, self.app))

    def end(self) -> None:
        self._open.close()

    @property
    def broker_url(self) -> str:
        """The URL of the broker on which the project's own tasks run."""
        return os.environ["CELERY_BROKER_URL"]

    def worker_environment(self) -> dict[str, str]:
        """Return the variables by which a worker finds the project and the tasks of the tests."""
        names = dict.fromkeys(name.partition(".")[0] for name in (*self.include, self.package, "celery_runtime"))
        return {**os.environ, "PYTHONPATH": import_path(*dict.fromkeys(map(_folder_of, names)))}

    def _set_environment(self) -> None:
        for name in [name for name in os.environ if name.startswith("CELERY_")]:
            del os.environ[name]
        os.environ["APP_ENV"] = "test"
        os.environ["CELERY_HEALTH_FOLDER"] = str(self.folder / "health")
        os.environ["CELERY_BROKER_URL"] = os.environ.get("TEST_BROKER_URL") or self.server.url
        os.environ["DATABASE_URL"] = f"sqlite:///{self.folder / 'db.sqlite3'}"

    def _use_scratch_databases(self) -> None:
        if results := self._scratch_results():
            # For the processes that this one starts, and for this one, which has read its settings.
            os.environ["CELERY_RESULT_BACKEND"] = self.app.conf.result_backend = results
        if uses_django(self.package):
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)

    def _scratch_results(self) -> str | None:
        """Return where results are kept instead; None where they are in a database of Django, or nowhere."""
        redis = self.server.url_of(1)
        try:
            results = self.app.conf.result_backend or ""
        except ConfigurationError:  # they would be on the broker if that were a Redis
            os.environ["CELERY_RESULT_BACKEND"] = redis
            return redis
        if results.startswith("db+"):
            return f"db+sqlite:///{self.folder / 'results.sqlite3'}"
        return redis if is_redis(results) else None


def _folder_of(package: str) -> Path:
    """Return the folder from which a top-level package is imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise pytest.UsageError(f"there is no package {package}, as pyproject.toml says: correct it there")
    return Path(spec.submodule_search_locations[0]).parent
