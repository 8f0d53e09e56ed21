"""How long it takes from `cookiecutter …` to the first generated test that is green, with its parts."""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.baking import BakedProject, bake, silenced_stdout

from .table import print_table, verdict

RUNS = 5
GOAL = 10.0  # seconds
# By a real worker, of a task with a retry.
FIRST_TEST = "tests/test_retries.py::test_a_service_that_comes_back_is_asked_again_with_the_same_priority"


def main() -> None:
    rows = [("", "bake", "uv sync", "first test", "in all", "")]
    for framework in ("plain", "django"):
        runs = [one_run(framework) for _ in range(RUNS + 1)][1:]  # the first fills the cache of packages
        medians = [statistics.median(part) for part in zip(*runs, strict=True)]
        total = statistics.median(map(sum, runs))
        seconds = (f"{part:.1f} s" for part in (*medians, total))
        rows.append((framework, *seconds, verdict(f"{GOAL:.0f} s", GOAL, [total])))
    print_table(f"From cookiecutter to the first green test, packages cached: median of {RUNS} runs", rows)


def one_run(framework: str) -> tuple[float, float, float]:
    """Return the seconds that each part has taken."""
    folder = Path(tempfile.mkdtemp(prefix="cookiecutter-celery-"))
    try:
        with silenced_stdout():
            baking, project = timed(lambda: bake(folder, {"project_slug": "shop", "framework": framework}))
        installing, _ = timed(project.install)
        testing, _ = timed(lambda: run_first_test(project))
    finally:
        shutil.rmtree(folder)
    return baking, installing, testing


def run_first_test(project: BakedProject) -> None:
    project.run("uv", "run", "pytest", "-q", FIRST_TEST, check=True)


def timed(step: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = step()
    return time.perf_counter() - start, result
