"""What discovery adds to the bare import of the task modules, in a worker and where the app is imported."""

import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from scripts.baking import BakedProject

from . import discovery_table
from .project import installed_project
from .side_by_side import interleave

RUNS = {10: 15, 100: 9, 1000: 11, 5000: 5}  # by number of modules
PROBE = Path(__file__).with_name("discovery_probe.py")
TASK_MODULE = '''\
from ..celery_config import app


@app.task(queue="tasks")
def add(x: int, y: int) -> int:
    """Return the sum."""
    return x + y


@app.task(queue="tasks")
def multiply(x: int, y: int) -> int:
    """Return the product."""
    return x * y
'''


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as scratch:
        project = installed_project(Path(scratch), "plain")
        libraries = _probe(project, "libraries")
        costs = {modules: _measure(project, modules, libraries) for modules in RUNS}
    discovery_table.show(costs, RUNS)


def _measure(project: BakedProject, modules: int, libraries: list[str]) -> discovery_table.Cost:
    """Measure the project with that many modules, and no others, in its folder of tasks."""
    for example in project.tasks.glob("ex*.py"):
        example.unlink()
    names = [f"ex{number}" for number in range(1, modules + 1)]
    for name in names:
        (project.tasks / f"{name}.py").write_text(TASK_MODULE)
    task_modules = [f"{project.slug}.celery_tasks.{name}" for name in names]
    results = interleave(
        {
            "application": lambda: _probe(project, "application", *libraries),
            "imports": lambda: _probe(project, "imports", *task_modules),
            "worker": lambda: _probe(project, "worker"),
        },
        RUNS[modules],
    )
    app, imports, worker = results["application"], results["imports"], results["worker"]
    return discovery_table.Cost(
        app=median(each["application"] for each in app),
        imports=median(each["imports"] for each in imports),
        finalize=median(each["finalize"] for each in imports),
        imports_and_finalize=median(each["imports"] + each["finalize"] for each in imports),
        worker=median(each["total"] for each in worker),
        worker_finalize=median(each["finalize"] for each in worker),
        worker_without_finalize=median(each["total"] - each["finalize"] for each in worker),
    )


def _probe(project: BakedProject, measurement: str, *modules: str) -> Any:
    # -P: the modules beside the probe must not hide those of the project.
    done = project.run(project.python, "-P", PROBE, measurement, project.slug, *modules, check=True)
    return json.loads(done.stdout)
