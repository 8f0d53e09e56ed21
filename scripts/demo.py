"""`make demo`: bake a project into a temporary folder and run its demo. It leaves nothing behind."""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from .baking import TEMPLATE, bake, clean_environment, silenced_stdout
from .rabbitmq import virtual_host
from .unavailable import Unavailable

CHOICES = {
    "FRAMEWORK": ("framework", ("plain", "django")),
    "BROKER": ("broker", ("redis", "rabbitmq")),
    "RESULT_BACKEND": ("result_backend", ("redis", "database")),
}


def main() -> None:
    answers = {"project_name": "Shop"}
    for variable, (option, values) in CHOICES.items():
        answers[option] = os.environ.get(variable) or values[0]
        if answers[option] not in values:
            sys.exit(f"error: {variable}={answers[option]!r} is unknown; use one of: {', '.join(values)}.")
    with ExitStack() as stack:
        environment = {}
        if answers["broker"] == "rabbitmq":
            try:
                environment["CELERY_BROKER_URL"] = stack.enter_context(virtual_host())
            except Unavailable as error:
                sys.exit(f"error: {error}.")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cookiecutter-celery-")))
        # cookiecutter and uv leave files in the folder for temporary files; this way they go with the rest.
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
        sys.exit(run(folder, answers, environment))


def run(folder: Path, answers: dict[str, str], environment: dict[str, str]) -> int:
    """Bake, install and demonstrate, telling the time of each. Return the exit status of the demo."""
    start = time.perf_counter()
    with silenced_stdout():  # the next steps are for a project that stays
        project = bake(folder, answers)
    print(f"  bake: {time.perf_counter() - start:.2f} s", flush=True)
    start = time.perf_counter()
    print("  install: ", end="", flush=True)  # it takes a while
    project.install()
    print(f"{time.perf_counter() - start:.2f} s", flush=True)
    command = ["make", "--silent", "--no-print-directory", "demo"]
    status = subprocess.run(command, cwd=project.path, env=clean_environment(**environment), check=False).returncode
    if status == 0:
        print(f"\nA project of your own: cookiecutter {TEMPLATE}")
    return status


if __name__ == "__main__":
    main()
