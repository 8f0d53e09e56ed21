"""Makes the sample project that the tests of the library run in, before the library's own plugin imports it."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from scripts import servers
from scripts.unavailable import Unavailable

from .sample import OVERLAYS, put_together

pytest_plugins = ["celery_runtime.testing", "tests.runtime.lending"]
FOLDER = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--framework", choices=sorted(OVERLAYS), default="plain", help="of the sample project")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    try:
        servers.root()  # which makes it, before there are several processes
    except Unavailable as error:
        pytest.exit(str(error), 1 if os.environ.get("CI") == "true" else 0)
    folder = config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="celery-sample-"))
    put_together(folder, config.getoption("framework"))
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = str(folder)  # of all processes, which find the library's commands there


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this sample has no broker for, and what is of Django where there is none."""
    from .lending import is_lent

    chosen = [item for item in items if is_lent(item, config.getoption("framework"))]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_of_django = collection_path == Path(__file__).parent / "django"
    return True if is_of_django and config.getoption("framework") != "django" else None
