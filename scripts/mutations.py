"""`make mutations`: break a generated project, one promise at a time, and see which of its tests notices."""

import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from .baking import BakedProject, bake


@dataclass(frozen=True)
class Mutation:
    """Replaces `old` in a file of the package by `new`; some test in `tests` must fail."""

    promise: str
    file: str
    old: str
    new: str
    tests: str


RUNTIME = "celery_runtime"
MUTATIONS = (
    Mutation(
        "task files are discovered",
        f"{RUNTIME}/app.py",
        "self.task_modules.load()",
        "self.task_modules.problems = []",
        "test_discovery",
    ),
    Mutation(
        "the folder comes from the package",
        f"{RUNTIME}/discovery.py",
        "Path(importlib.import_module(parent).__path__[0]).resolve() / name",
        "Path.cwd() / parent / name",
        "test_discovery",
    ),
    Mutation(
        "importing the app imports no task module",
        "celery_config.py",
        'app.config_from_object(f"{__package__}.settings")',
        'app.config_from_object(f"{__package__}.settings")\napp.loader.import_default_modules()',
        "test_discovery",
    ),
    Mutation(
        "natural order",
        f"{RUNTIME}/discovery.py",
        "return [int(part) if part.isdecimal() else part",
        "return [part",
        "test_discovery",
    ),
    Mutation(
        "sub-folders are searched",
        f"{RUNTIME}/discovery.py",
        "_scan_folder(Path(entry.path), root, package, (*parents, name), pattern, found)",
        "continue",
        "test_discovery",
    ),
    Mutation(
        "_private files are left alone",
        f"{RUNTIME}/discovery.py",
        'if name.startswith(("_", ".")):',
        'if name.startswith("."):',
        "test_discovery",
    ),
    Mutation(
        "a broken file keeps the worker from starting",
        f"{RUNTIME}/task_modules.py",
        "if any(problem.fatal for problem in self.problems):",
        "if False:",
        "test_broken_task_files",
    ),
    Mutation(
        "all broken files are named at once",
        f"{RUNTIME}/task_modules.py",
        "            self.problems.extend(self._import(module))",
        "            self.problems.extend(self._import(module))\n            if self.problems: break",
        "test_broken_task_files",
    ),
    Mutation(
        "one task name in two files is refused",
        f"{RUNTIME}/app.py",
        "self.duplicate_task_names.append((name, existing, new))",
        "pass",
        "test_broken_task_files",
    ),
    Mutation(
        "an unknown queue is refused",
        f"{RUNTIME}/task_modules.py",
        "        self.problems.extend(self._wrong_options())\n",
        "",
        "test_broken_task_files",
    ),
    Mutation(
        "an empty folder is a warning",
        f"{RUNTIME}/discovery.py",
        "fatal=False,",
        "fatal=True,",
        "test_discovery or test_broken_task_files",
    ),
    Mutation(
        "what is not selected goes back to the queue",
        f"{RUNTIME}/consumer.py",
        "if not self.app.task_modules.owns_left_out(name):",
        "if True:",
        "test_selection",
    ),
    Mutation(
        "a selection that matches nothing is refused",
        f"{RUNTIME}/discovery.py",
        "if not any(_matches(module, pattern) for module in modules):",
        "if False:",
        "test_selection",
    ),
    Mutation(
        "Redis is read from the largest priority down",
        f"{RUNTIME}/priorities.py",
        "LEVELS[::-1]",
        "LEVELS",
        "test_priorities",
    ),
    Mutation(
        "an unset priority is 5",
        f"{RUNTIME}/priorities.py",
        "stated = Priority.NORMAL",
        "stated = 0",
        "test_priorities",
    ),
    Mutation(
        "a child inherits its parent's priority",
        f"{RUNTIME}/priorities.py",
        "stated = self._parent_priority()",
        "stated = None",
        "test_priorities",
    ),
    Mutation(
        "each priority has a list of its own on Redis",
        f"{RUNTIME}/priorities.py",
        "        return n\n",
        "        return n - n % 3\n",
        "test_priorities",
    ),
    Mutation(
        "a priority that does not exist is refused",
        f"{RUNTIME}/priorities.py",
        "if stated not in LEVELS:",
        "if False:",
        "test_priorities",
    ),
    Mutation(
        "a message is done when its task is",
        "settings.py",
        "task_acks_late = True",
        "task_acks_late = False",
        "test_environment",
    ),
    Mutation(
        "a broker must be named outside development",
        f"{RUNTIME}/broker.py",
        "if environment.is_development():",
        "if True:",
        "test_environment",
    ),
    Mutation(
        "CELERY_BROKER_URL wins",
        f"{RUNTIME}/broker.py",
        'value = environment.text("CELERY_BROKER_URL")',
        "value = None",
        "test_environment",
    ),
    Mutation(
        "one process starts the embedded broker",
        f"{RUNTIME}/embedded.py",
        "fcntl.flock(self.file, fcntl.LOCK_EX)",
        "pass",
        "test_embedded_broker",
    ),
    Mutation(
        "the embedded broker's folder is private",
        f"{RUNTIME}/embedded.py",
        "if not mine or stat.S_IMODE(status.st_mode) & 0o077:",
        "if False:",
        "test_embedded_broker",
    ),
    Mutation(
        "importing the settings starts nothing",
        f"{RUNTIME}/broker.py",
        "        return PROJECT_BROKER.url(database)",
        "        PROJECT_BROKER.start()\n        return PROJECT_BROKER.url(database)",
        "test_embedded_broker",
    ),
)


def failed_tests(project: BakedProject, selection: str) -> list[str]:
    """Run the selected generated tests up to the first failure; return the names of those that failed."""
    done = project.run(
        project.python, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", "-k", selection
    )
    return re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)


def is_stale(project: BakedProject, mutation: Mutation) -> bool:
    """Whether the text that the mutation replaces is no longer there, or not there alone."""
    return (project.package / mutation.file).read_text().count(mutation.old) != 1


def survives(project: BakedProject, mutation: Mutation) -> bool:
    """Apply the mutation, print what noticed it, and undo it. Return whether nothing noticed."""
    path = project.package / mutation.file
    source = path.read_text()
    if is_stale(project, mutation):
        print(f"STALE     {mutation.promise}: look for its text in {mutation.file}")
        return True
    path.write_text(source.replace(mutation.old, mutation.new))
    try:
        failed = failed_tests(project, mutation.tests)
    finally:
        path.write_text(source)
    print(f"{'noticed ' if failed else 'SURVIVED'}  {mutation.promise}: {', '.join(failed)}", flush=True)
    return not failed


def end_processes_of(folder: Path) -> None:
    """End what mutated code left running: each process whose program lies in the folder."""
    for process in psutil.process_iter(["cmdline"]):
        program, *_ = process.info["cmdline"] or [""]
        if Path(program).is_relative_to(folder):
            process.kill()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        project = bake(Path(folder), {"framework": "plain"})
        project.install()
        try:
            survivors = sum(survives(project, mutation) for mutation in MUTATIONS)
        finally:
            end_processes_of(Path(folder))
    print(f"{len(MUTATIONS) - survivors} of {len(MUTATIONS)} mutations were noticed.")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
