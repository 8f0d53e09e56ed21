"""`make faults`: cause every fault with every library, and print what a baked project makes of it."""

import subprocess
import sys
import tempfile
from pathlib import Path

from .baking import TEMPLATE, BakedProject, bake, clean_environment, silenced_stdout


def install_libraries(project: BakedProject) -> None:
    """Add to the project's environment the libraries whose errors are told apart."""
    requirements = TEMPLATE / "requirements-faults.txt"
    command = ("uv", "pip", "install", "--quiet", "--require-hashes", "--python", project.python)
    project.run(*command, "--requirement", requirements, check=True)


def command(project: BakedProject, *arguments: str) -> list[str]:
    return [str(project.python), "-m", "tests.faults", project.slug, *arguments]


def environment(project: BakedProject) -> dict[str, str]:
    paths = f"{project.path}:{TEMPLATE}"
    return clean_environment(PYTHONPATH=paths)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as folder:
        with silenced_stdout():
            project = bake(Path(folder), {"project_slug": "shop", "framework": "django"})
        project.install()
        install_libraries(project)
        done = subprocess.run(command(project, *sys.argv[1:]), cwd=TEMPLATE, env=environment(project), check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
