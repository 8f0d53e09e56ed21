import importlib
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Self

import celery_runtime

from .isolation import PRELUDE

NOTE_TASK = """
    from pathlib import Path
    from PACKAGE.celery_config import app

    @app.task(queue="tasks", ignore_result=True)
    def note(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")
"""


class ProjectCopy:
    """A copy of the project's package, without its task files and its schedule, in a folder of its own."""

    def __init__(self, package: str, folder: Path) -> None:
        self.package = package
        self.root = folder
        self.tasks = folder / package / "celery_tasks"
        self.notes_file = folder / "notes"
        self.logs: list[Path] = []
        self.environment = {**os.environ, "PYTHONPATH": str(folder)}

    def create(self) -> Self:
        source = Path(importlib.import_module(self.package).__path__[0])
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

    def change(self, file: str, old: str, new: str) -> None:
        """Replace a text, which must be there, in a file of the package, or of `celery_runtime/`."""
        path = self.root / (file if file.startswith("celery_runtime/") else f"{self.package}/{file}")
        source = path.read_text()
        assert old in source, f"{old!r} is not in {file}"
        path.write_text(source.replace(old, new))

    def configure(self, **settings: object) -> None:
        """State settings of Celery, by their names in plain projects."""
        namespace = importlib.import_module(self.package).app.namespace
        stated = {f"{namespace}_{name}".upper() if namespace else name: one for name, one in settings.items()}
        with (self.root / self.package / "settings.py").open("a") as file:
            file.writelines(f"{name} = {value!r}\n" for name, value in stated.items())

    def write_note_task(self, file: str = "ex1_note.py") -> None:
        self.write(file, NOTE_TASK)

    def notes(self) -> list[str]:
        """Return what the `note` tasks have written so far, in their order."""
        return self.notes_file.read_text().splitlines() if self.notes_file.exists() else []

    def run(self, code: str, **environment: str) -> str:
        """Run Python code, filled in likewise, in a process of its own; return what it printed."""
        script = f"{PRELUDE}\n{self._filled_in(code)}"
        done = self._run([sys.executable, "-c", script], environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def celery(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run `celery -A PACKAGE …` to its end."""
        return self._run([sys.executable, "-m", "celery", "-A", self.package, *arguments], environment)

    def _filled_in(self, source: str) -> str:
        names = {"PACKAGE": self.package, "NOTES_FILE": str(self.notes_file)}
        source = textwrap.dedent(source)
        for placeholder, name in names.items():
            source = source.replace(placeholder, name)
        return source

    def _run(self, command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        env = {**self.environment, **environment}
        return subprocess.run(
            command, cwd="/", env=env, capture_output=True, text=True, timeout=60, check=False
        )
