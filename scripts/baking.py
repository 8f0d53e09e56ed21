"""Bakes projects and runs commands in them, untouched by the settings of whoever runs this."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parent.parent
SLUG = "{{cookiecutter.project_slug}}"  # the folder of the project, and in it that of its package
LIBRARY = TEMPLATE / SLUG / "celery_runtime"
LEAKY = {
    *("VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "UV_ENV_FILE", "APP_ENV"),
    *("DATABASE_URL", "DJANGO_ALLOWED_HOSTS", "DJANGO_SECRET_KEY", "DJANGO_SETTINGS_MODULE"),
    *("APP", "BROKER_URL", "CONFIG_MODULE", "LOADER", "RESULT_BACKEND"),  # Celery's command line reads these
}
LEAKY_PREFIXES = ("CELERY_", "TEST_", "PYTEST_", "MAKE", "MFLAGS")


def clean_environment(**extra: str) -> dict[str, str]:
    """Return this process' environment without what would change a baked project, and with uv on its path."""
    kept = {
        name: value for name, value in os.environ.items() if name not in LEAKY and not name.startswith(LEAKY_PREFIXES)
    }
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **extra}


@dataclass(frozen=True)
class BakedProject:
    """A project that was baked to `path`. Its package has the name `slug`."""

    path: Path
    slug: str

    @property
    def package(self) -> Path:
        return self.path / self.slug

    @property
    def tasks(self) -> Path:
        return self.package / "celery_tasks"

    @property
    def python(self) -> Path:
        return self.path / ".venv/bin/python"

    def install(self) -> None:
        """Make its environment, as its own Makefile does."""
        self.run("uv", "sync", "--quiet", check=True)

    def borrow(self, environment: Path) -> None:
        """Use the environment of another project that has the same dependencies. No `make` may be run then."""
        (self.path / ".venv").symlink_to(environment)

    def environment(self, **extra: str) -> dict[str, str]:
        """Return clean variables, and those that are given; where the environment is borrowed, they name the project."""
        borrowed = {"PYTHONPATH": str(self.path)} if (self.path / ".venv").is_symlink() else {}
        return clean_environment(**{**borrowed, **extra})

    def run(
        self, *command: str | Path, check: bool = False, cwd: Path | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in the project's folder with a clean environment; its output is text."""
        done = subprocess.run(
            list(map(str, command)),
            cwd=cwd or self.path,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def celery(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run `celery -A SLUG …` in the project's own environment."""
        return self.run(self.python, "-m", "celery", "-A", self.slug, *arguments, **options)


def bake(output: Path, answers: Mapping[str, str]) -> BakedProject:
    """Bake the template below `output`. Answers that are not given take their default."""
    with tempfile.TemporaryDirectory() as scratch:
        path = cookiecutter(
            str(TEMPLATE),
            no_input=True,
            extra_context=dict(answers),
            output_dir=str(output),
            default_config={"replay_dir": scratch, "cookiecutters_dir": scratch},
        )
    project = Path(path)
    return BakedProject(project, project.name)


def plain_project(output: Path) -> BakedProject:
    """Bake a plain project with the slug "shop" below `output`, in silence, and install it."""
    with silenced_stdout():  # the next steps are for a project that stays
        project = bake(output, {"project_slug": "shop", "framework": "plain"})
    project.install()
    return project


@contextmanager
def silenced_stdout() -> Iterator[None]:
    """Send what this process and its children print to nowhere."""
    sys.stdout.flush()
    saved = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
