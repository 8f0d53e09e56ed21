"""What telling errors apart costs a worker: in Celery's tracer for each task, and in `classify` for each error."""

import json
import tempfile
from pathlib import Path
from typing import Any

from scripts.baking import TEMPLATE, BakedProject

from . import errors_table
from .project import installed_project
from .side_by_side import interleave

FRAMEWORKS = ("plain", "django")
RUNS = 5
# Outside development logs are JSON. Nothing connects to the broker, and no result is stored: what that
# takes would only dilute the difference.
ENVIRONMENT = {
    "APP_ENV": "test",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "CELERY_RESULT_BACKEND": "disabled://",
    "PYTHONPATH": str(TEMPLATE),
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as scratch:
        projects = {framework: installed_project(Path(scratch), framework) for framework in FRAMEWORKS}
        cases = {
            framework: lambda project=project: _probe(project, "errors_tracer_probe")
            for framework, project in projects.items()
        }
        runs = interleave(cases, RUNS)
        classified = [_probe(projects["plain"], "errors_classify_probe") for _ in range(RUNS)]
    errors_table.show_tracer(runs)
    errors_table.show_classify(classified)


def _probe(project: BakedProject, module: str) -> Any:
    # -P: the project's own `tests` must not hide those of the template.
    command = (project.python, "-P", "-m", f"{__package__}.{module}", project.slug)
    return json.loads(project.run(*command, check=True, **ENVIRONMENT).stdout)
