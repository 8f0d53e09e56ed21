"""Celery's own integration tests: fetched, and run against an app."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.baking import TEMPLATE, BakedProject
from scripts.rabbitmq import virtual_host
from scripts.rabbitmq_node import free_port
from scripts.redis_server import redis_server

MODULES = ("test_canvas.py", "test_tasks.py", "test_inspect.py")
# Expressions that part the tests in three, each of which waits for about five minutes.
PARTS = ("allow_error_cb", "test_chord and not allow_error_cb", "not test_chord and not allow_error_cb")
KEPT = ("__init__.py", "canvas_helpers.py", "integration/__init__.py", "integration/tasks.py")
FIXTURES = Path(__file__).with_name("fixtures.py")
REQUIREMENTS = TEMPLATE / "requirements-foreign.txt"

# What Celery's own fixtures state of the app; the library states the second itself.
SETTINGS = {"result_extended": True, "task_create_missing_queues": False}
STOCK = f"""\
from celery import Celery

app = Celery("stock")  # its broker and its results are named by variables
app.conf.update({SETTINGS!r})
"""
CLASSES = """\
from celery import current_app

from .tasks import ClassBasedAutoRetryTask

current_app.register_task(ClassBasedAutoRetryTask())
"""


@dataclass(frozen=True)
class Result:
    """What became of a test: "passed", "failed" or "skipped", and the first line of the reason."""

    outcome: str = "failed"
    reason: str = "it did not run"

    @property
    def passes(self) -> bool:
        return self.outcome == "passed"


@dataclass(frozen=True)
class Suite:
    """The tests of the Celery that the project has, in a folder of their own."""

    project: BakedProject
    folder: Path

    @property
    def tests(self) -> Path:
        return self.folder / "suite"

    def prepare(self) -> None:
        """Fetch the tests, and add to the project's environment what they need."""
        install = ("uv", "pip", "install", "--quiet", "--require-hashes", "--python", self.project.python)
        self.project.run(*install, "--requirement", REQUIREMENTS, check=True)
        settings = self.project.package / "settings.py"
        stated = f"\nresult_extended = {SETTINGS['result_extended']}\n"
        settings.write_text(settings.read_text() + stated)
        self._unpack(self._source())
        integration = self.tests / "t/integration"
        shutil.copy(FIXTURES, integration / "conftest.py")
        (integration / "classes.py").write_text(CLASSES)
        (self.tests / "stock.py").write_text(STOCK)

    def run(self, app: str, broker: str, name: str, *tests: str) -> dict[str, Result]:
        """Run these tests on empty servers, and return what became of each; the logs bear the name."""
        folder = self.folder / "logs" / f"{broker}-{app}-{name}"
        folder.mkdir(parents=True)
        with _servers(broker) as variables, (folder / "pytest.log").open("wb") as log:
            environment = self.project.environment(
                PYTHONPATH=str(self.tests), FOREIGN_APP=app, FOREIGN_FOLDER=str(folder), **variables
            )
            options = ("-p", "no:cacheprovider", "-o", "python_classes=test_*", "--tb", "short")
            subprocess.run(
                [self.project.python, "-m", "pytest", *options, *tests],
                cwd=self.tests / "t/integration",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return _results(folder / "reports.jsonl")

    def _source(self) -> Path:
        """Return the source distribution, which is downloaded once."""
        python = self.project.python
        version = self.project.run(python, "-c", "import celery; print(celery.__version__)", check=True).stdout.strip()
        folder = TEMPLATE / ".tools/celery"
        source = folder / f"celery-{version}.tar.gz"
        if not source.exists():
            what = ("--no-deps", "--no-binary", "celery", f"celery=={version}")
            self.project.run(python, "-m", "pip", "download", "--quiet", "--dest", folder, *what, check=True)
        return source

    def _unpack(self, source: Path) -> None:
        """Unpack the tests, and not the Celery beside them."""
        wanted = {f"t/{name}" for name in (*KEPT, *(f"integration/{module}" for module in MODULES))}
        with tarfile.open(source) as archive:
            for member in archive.getmembers():
                member.name = member.name.partition("/")[2]
                if member.name in wanted:
                    archive.extract(member, self.tests, filter="data")


@contextmanager
def _servers(broker: str) -> Iterator[dict[str, str]]:
    """Lend the variables that name a broker, and a Redis for the results and for what the tests write there."""
    host, port = "127.0.0.1", str(free_port())  # the tests know no socket
    results = f"redis://{host}:{port}/0"
    variables = {"REDIS_HOST": host, "REDIS_PORT": port, "CELERY_RESULT_BACKEND": results}
    with redis_server("--port", port, "--bind", host, "--appendonly", "no"):
        if broker == "redis":
            yield {**variables, "CELERY_BROKER_URL": results}
        else:
            with virtual_host() as url:
                yield {**variables, "CELERY_BROKER_URL": url}


def _results(reports: Path) -> dict[str, Result]:
    """Return what became of each test: it has failed where a part of it has."""
    found: dict[str, Result] = {}
    for report in map(json.loads, reports.read_text().splitlines() if reports.exists() else []):
        result = Result(report["outcome"], report["reason"])
        earlier = found.get(report["test"])
        if earlier is None or (earlier.outcome != "failed" and not result.passes):
            found[report["test"]] = result
    return found
