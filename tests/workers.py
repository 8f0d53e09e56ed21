"""Real workers of a baked project."""

from pathlib import Path

from celery_runtime.testing.worker import WorkerProcess
from scripts.baking import BakedProject


def running_worker(
    project: BakedProject,
    log: Path,
    *options: str,
    concurrency: int = 1,
    command: str = "worker",
    cwd: str | Path = "/",
    **environment: str,
) -> WorkerProcess:
    """Return a worker, or beat, to be entered; where it starts is not in the project."""
    return WorkerProcess(
        project.slug,
        log,
        *options,
        command=command,
        concurrency=concurrency,
        python=project.python,
        environment=project.environment(**environment),
        folder=cwd,
    )
