"""Copy the project, so that a test can write task files and change settings.

Runs in: the tests. What a copy runs is in processes of its own.
"""

import importlib
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Self

import celery_runtime

NOTE_TASK = """
    from pathlib import Path
    from PACKAGE.celery_config import app

    @app.task(queue="tasks", ignore_result=True)
    def note(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")
"""
DEADLINE = 60  # seconds


def uses_django(package: str) -> bool:
    """Whether the settings of Django that were named are in this package, which has been imported."""
    return os.environ.get("DJANGO_SETTINGS_MODULE", "").startswith(f"{package}.")


def import_path(*folders: Path) -> str:
    """Return these folders, then what PYTHONPATH names already."""
    return os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])


class ProjectCopy:
    """Hold a copy of the project's package and of `celery_runtime`, without task files and without a schedule.

    Args:
        package: the package, which has been imported.
        folder: where the copy is made.
    """

    def __init__(self, package: str, folder: Path) -> None:
        self.package = package
        self.root = folder
        self.tasks = folder / package / "celery_tasks"
        self.notes_file = folder / "notes"
        self.logs: list[Path] = []
        self.environment = {**os.environ, "PYTHONPATH": import_path(folder)}

    def create(self) -> Self:
        """Make the copy."""
        source = Path(self._imported.__path__[0])
        shutil.copytree(source, self.root / self.package, ignore=shutil.ignore_patterns("celery_tasks"))
        library = Path(celery_runtime.__path__[0])
        shutil.copytree(library, self.root / library.name)
        (self.root / self.package / "schedule.py").write_text("SCHEDULE = {}\n")
        self.tasks.mkdir()
        (self.tasks / "__init__.py").touch()
        return self

    def write(self, file: str, source: str) -> None:
        """Write a task file. PACKAGE and NOTES_FILE in the source stand for their names."""
        path = self.tasks / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._filled_in(source))

    def write_note_task(self, file: str = "ex1_note.py") -> None:
        """Write a task file whose task `note` appends its argument to the notes."""
        self.write(file, NOTE_TASK)

    def change(self, file: str, old: str, new: str) -> None:
        """Replace a text, which must be there, in a file of the package."""
        path = self.root / self.package / file
        source = path.read_text()
        assert old in source, f"{old!r} is not in {file}"
        path.write_text(source.replace(old, new))

    def configure(self, **settings: object) -> None:
        """State settings of Celery by their names in lower case, whatever the framework calls them."""
        namespace = self._imported.app.namespace
        stated = {f"{namespace}_{name}".upper() if namespace else name: one for name, one in settings.items()}
        with (self.root / self.package / "settings.py").open("a") as file:
            file.writelines(f"{name} = {value!r}\n" for name, value in stated.items())

    def notes(self) -> list[str]:
        """Return what tasks have written to NOTES_FILE so far."""
        return self.notes_file.read_text().splitlines() if self.notes_file.exists() else []

    def run(self, code: str, **environment: str) -> str:
        """Run Python code, filled in like a task file, in a process of its own; return what it printed."""
        prelude = "import django; django.setup()\n" if uses_django(self.package) else ""
        done = self._run([sys.executable, "-c", prelude + self._filled_in(code)], environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def celery(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run `celery -A PACKAGE …` to its end."""
        return self._run([sys.executable, "-m", "celery", "-A", self.package, *arguments], environment)

    @property
    def _imported(self) -> Any:
        return importlib.import_module(self.package)

    def _filled_in(self, source: str) -> str:
        names = {"PACKAGE": self.package, "NOTES_FILE": str(self.notes_file)}
        source = textwrap.dedent(source)
        for placeholder, name in names.items():
            source = source.replace(placeholder, name)
        return source

    def _run(self, command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        env = {**self.environment, **environment}
        return subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, timeout=DEADLINE, check=False)
