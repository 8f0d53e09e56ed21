"""Checks which `celery_runtime` was imported, and whether it was tested with the Celery and kombu beside it."""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import celery
import kombu

from celery_runtime.discovery.files import Problem

# It overrides private parts of these, which may change with any minor version.
TESTED = {celery: "5.7", kombu: "5.7"}


def problems(root: Path) -> Iterator[Problem]:
    """Yield a warning for each thing that is not as it was tested.

    Args:
        root: the folder that holds the project's package.
    """
    imported, beside = Path(__file__).resolve().parents[1], (root / "celery_runtime").resolve()
    if imported != beside and beside.is_dir():
        remedy = "Give each project an environment of its own."
        yield _warning(f"Python imports {imported}, and not this one", remedy)
    elif not (root / "pyproject.toml").exists():  # installed from a wheel
        owners = sorted(set(metadata.packages_distributions().get("celery_runtime", ())))
        if len(owners) > 1:
            problem = f"{' and '.join(owners)} have each installed one here, and the last one counts"
            yield _warning(problem, "Give each project an environment of its own.")
    for module, tested in TESTED.items():
        if not module.__version__.startswith(f"{tested}."):
            problem = f"it was tested with {module.__name__} {tested}, and this is {module.__version__}"
            yield _warning(problem, f"Install it: uv add '{module.__name__}~={tested}.0'.")


def _warning(problem: str, remedy: str) -> Problem:
    return Problem("celery_runtime", 1, problem, remedy, fatal=False)
