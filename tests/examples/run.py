"""Runs every example of a baked project on a live worker, and reads what its docstring says it prints."""

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path

from scripts.baking import BakedProject

from ..workers import running_worker

# In one process: importing the project anew for each of them would take longer than they do.
RUN_ALL = """
import contextlib, importlib, io, json, time, traceback

for name in {names}:
    module = importlib.import_module("{package}.celery_tasks." + name)
    printed, begin = io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(printed):
        try:
            module.run_tasks()
        except Exception:
            traceback.print_exc(file=printed)
    seconds = time.monotonic() - begin
    print("RESULT", json.dumps([name, module.run_tasks.__doc__, printed.getvalue(), seconds]))
"""


@dataclass(frozen=True)
class Outcome:
    """What one example is to print and what it has printed, and how long that took, in seconds."""

    name: str
    promised: str
    printed: str
    seconds: float

    @property
    def is_right(self) -> bool:
        return bool(self.promised) and self.promised == self.printed


def run_all(project: BakedProject, log: Path, **environment: str) -> list[Outcome]:
    """Run `run_tasks()` of each example of the project, in natural order, with a worker of two processes."""
    names = sorted((path.stem for path in project.tasks.glob("ex*.py")), key=_number)
    code = RUN_ALL.format(names=names, package=project.slug)
    if (project.path / "manage.py").exists():
        project.run(project.python, "manage.py", "migrate", check=True, **environment)
        shell = ["manage.py", "shell", "--verbosity", "0"]
    else:
        shell = []
    with running_worker(project, log, concurrency=2, **environment):
        done = project.run(project.python, *shell, "-c", code, check=True, **environment)
    rows = [json.loads(line.partition(" ")[2]) for line in done.stdout.splitlines() if line.startswith("RESULT")]
    return [Outcome(name, promised(doc), printed.strip(), seconds) for name, doc, printed, seconds in rows]


def promised(docstring: str | None) -> str:
    """Return the indented end of a docstring, behind "Prints:"."""
    return textwrap.dedent((docstring or "").partition(":\n\n")[2]).strip()


def _number(name: str) -> int:
    return int("".join(filter(str.isdigit, name.partition("_")[0])))
