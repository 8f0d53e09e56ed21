"""`make examples`: run every example in every combination of options, and hold what it prints to its docstring."""

import sys
import tempfile
from pathlib import Path

from tests.conftest import COMBINATIONS, combination_id
from tests.examples.run import Outcome, run_all

from .baking import bake, silenced_stdout
from .columns import columns
from .rabbitmq import virtual_host
from .redis_server import redis_server
from .unavailable import Unavailable


def main() -> None:
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as folder:
        for answers in COMBINATIONS:
            try:
                outcomes = run_combination(Path(folder) / combination_id(answers), answers)
            except Unavailable as error:
                sys.exit(f"error: {error}.")
            wrong += sum(not outcome.is_right for outcome in outcomes)
            print(f"\n{combination_id(answers)}\n\n{table(outcomes)}", flush=True)
    print(f"\n{wrong} printed something else than their docstring says")
    sys.exit(wrong > 0)


def run_combination(folder: Path, answers: dict[str, str]) -> list[Outcome]:
    """Bake, install, and run all examples on a broker of its own."""
    folder.mkdir()
    with silenced_stdout():
        project = bake(folder, {"project_slug": "shop", **answers})
    project.install()
    with redis_server() as redis, virtual_host() as rabbitmq:
        environment = {"CELERY_BROKER_URL": rabbitmq if answers["broker"] == "rabbitmq" else redis.url}
        environment |= result_backend(answers, folder, redis.url)
        return run_all(project, folder / "worker.log", **environment)


def result_backend(answers: dict[str, str], folder: Path, redis_url: str) -> dict[str, str]:
    """Return the variable that names where this combination keeps its results, or its database."""
    if answers["result_backend"] == "redis":
        backend = {"CELERY_RESULT_BACKEND": redis_url}
    elif answers["framework"] == "plain":
        backend = {"CELERY_RESULT_BACKEND": f"db+sqlite:///{folder / 'results.sqlite3'}"}
    else:
        backend = {}
    if answers["framework"] == "django":
        backend["DATABASE_URL"] = f"sqlite:///{folder / 'db.sqlite3'}"
    return backend


def table(outcomes: list[Outcome]) -> str:
    lines = [("", "example", "seconds", "printed")]
    for outcome in outcomes:
        mark = "right" if outcome.is_right else "WRONG"
        first, *rest = outcome.printed.splitlines() or [""]
        lines.append((mark, outcome.name, f"{outcome.seconds:.1f}", first))
        lines += [("", "", "", line) for line in rest]
    return "\n".join(columns(lines))


if __name__ == "__main__":
    main()
