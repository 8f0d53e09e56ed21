"""Import the task modules, and refuse to start when one is broken.

Celery's `include` stops at the first broken module. Here they are imported one by one, so that every problem is
reported at once. Runs in: worker main process, beat, `tasks list` and `tasks check`.
"""

import importlib
import inspect
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import celery

from celery_runtime import environment
from celery_runtime.discovery import files
from celery_runtime.discovery.files import TaskFileProblem, TaskModule
from celery_runtime.environment import ConfigurationError
from celery_runtime.text import message_of

FILTER_VARIABLE = "CELERY_TASK_MODULES"


class BrokenTaskModules(SystemExit):
    """A worker or beat must not start: `problems` holds every reason, fatal or not."""

    def __init__(self, problems: Sequence[TaskFileProblem]) -> None:
        self.problems = list(problems)
        fatal = [problem for problem in problems if problem.fatal]
        count = "1 problem" if len(fatal) == 1 else f"{len(fatal)} problems"
        super().__init__(f"error: {count} in the task modules; nothing was started.\n\n{describe(fatal)}")


def describe(problems: Iterable[TaskFileProblem]) -> str:
    """Return two lines for each problem: where and what, then the remedy."""
    form = "{}{p.file}:{p.line}: {p.problem}\n    {p.remedy}"
    return "\n".join(form.format("" if p.fatal else "warning: ", p=p) for p in problems)


class TaskModules:
    """The task modules of one app: those that were selected, and those that the task file filter left out."""

    def __init__(self, app: celery.Celery, package: str) -> None:
        self.app, self.package = app, package
        self.project = package.partition(".")[0]
        folder = files.folder_of(package)
        self.root = folder.parents[package.count(".")]
        self.folder = self.relative(folder)
        self.selected: list[TaskModule] = []
        self.left_out: set[TaskModule] = set()
        self.ignored: dict[str, str] = {}
        self.problems: list[TaskFileProblem] = []

    def load(self) -> None:
        """Import the selected modules and check their tasks; raise `BrokenTaskModules` if a problem is fatal."""
        # Not at the top, because a process that only publishes needs nothing of what it imports.
        from celery_runtime.discovery import checks

        found = files.scan(self.package, self.root, self.app.conf.task_file_pattern)
        self.ignored, self.problems = found.ignored, found.problems
        try:
            self.selected = files.filtered(found.modules, environment.names(FILTER_VARIABLE))
        except LookupError as error:
            self.problems.append(TaskFileProblem(self.folder, 1, str(error), f"Correct --tasks or {FILTER_VARIABLE}."))
        self.left_out = set(found.modules).difference(self.selected)
        for module in self.selected:
            self.problems.extend(self._import(module))
        self.problems.extend(self._register())
        self.problems.extend(checks.problems(self))
        if not any(problem.fatal for problem in self.problems):
            self.problems.extend(checks.warnings(self))
        # A file that is broken is so for every file that imports it.
        self.problems = sorted(set(self.problems), key=lambda p: (files.natural(p.file), p.line))
        if any(problem.fatal for problem in self.problems):
            raise BrokenTaskModules(self.problems)

    def check(self) -> list[TaskFileProblem]:
        """Import the task files; return every problem, also those for which a worker would refuse to start."""
        from celery_runtime.discovery import checks

        with suppress(BrokenTaskModules):
            self.app.loader.import_default_modules()
        return [*self.problems, *checks.default_pool(self)]

    def owns_left_out(self, task_name: str) -> bool:
        """Whether a task belongs to a module that the task file filter of this worker left out."""
        prefixes = tuple(f"{module.name}." for module in self.left_out)
        stated = (files.explicit_task_names(module.path) for module in self.left_out)
        return task_name.startswith(prefixes) or any(task_name in names for names in stated)

    def own_tasks(self) -> list[celery.Task]:
        """Return all registered tasks but Celery's own."""
        return [task for name, task in self.app.tasks.items() if not name.startswith("celery.")]

    def location(self, task: celery.Task) -> tuple[str, int]:
        """Return the file of a task, as `relative` shows it, and its line."""
        if code := getattr(inspect.unwrap(task.run), "__code__", None):
            return self.relative(Path(code.co_filename)), code.co_firstlineno
        return self.relative(Path(inspect.getsourcefile(type(task)) or "")), 1

    @contextmanager
    def errors_in_a_line(self, remedy: str) -> Iterator[None]:
        """Raise an error of the block as a `ConfigurationError` that names the line of the project, if it has one."""
        try:
            yield
        except Exception as error:
            problem = message_of(error) if type(error) in (TypeError, ValueError) else summary(error)
            if place := place_of(error, self.root, self.project):
                raise ConfigurationError(f"{place[0]}:{place[1]}: {problem}", "Correct this line.") from error
            raise ConfigurationError(problem, remedy) from error

    def relative(self, path: Path) -> str:
        """Return a path relative to the project where it lies inside, else the whole path."""
        path = path.resolve()
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def _import(self, module: TaskModule) -> Iterator[TaskFileProblem]:
        try:
            file = importlib.import_module(module.name).__file__
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a task file can raise anything
            yield self._import_problem(module, error)
            return
        # Equal texts first, because resolving both takes almost as long as the import.
        if file not in (None, str(module.path)) and Path(file).resolve() != module.path.resolve():
            yield TaskFileProblem(module.file, 1, f"Python imports {file} under this name", "Rename one of the two.")

    def _register(self) -> Iterator[TaskFileProblem]:
        try:
            self.app.finalize()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - decorators are evaluated here, with any option at all
            problem = f"{summary(error)} while the tasks were registered"
            yield TaskFileProblem(self.folder, 1, problem, "Correct the options of a task's decorator.")

    def _import_problem(self, module: TaskModule, error: BaseException) -> TaskFileProblem:
        problem, remedy = summary(error), "Correct this line."
        file, line = place_of(error, self.root, self.project) or (module.file, 1)
        if isinstance(error, SyntaxError) and error.filename:
            remedy = "Correct the syntax of this line."
        elif isinstance(error, ModuleNotFoundError) and error.name:
            top = error.name.partition(".")[0]
            own = "Correct the import: the project has no such module."
            remedy = own if top == self.project else f"Install what it needs, for instance: uv add {top}"
        elif isinstance(error, SystemExit):
            problem = f"the file ends the process while it is imported ({problem})"
            remedy = 'Move it into a function, or under if __name__ == "__main__".'
        else:
            problem += " while the file was imported"
        return TaskFileProblem(file, line, problem, remedy)


def summary(error: BaseException) -> str:
    """Return the class of an error and the first line of its message."""
    message = error.msg if isinstance(error, SyntaxError) and isinstance(error.msg, str) else message_of(error)
    return f"{type(error).__name__}: {next(iter(message.splitlines()), '')}"


def place_of(error: BaseException, root: Path, project: str) -> tuple[str, int] | None:
    """Return the file and line of the project's package that has raised the error, or that is no Python."""
    folder = root / project
    frames = [(frame.filename, frame.lineno or 1) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno or 1))
    paths = [(Path(name).resolve(), line) for name, line in frames if Path(name).is_absolute()]
    inside = [(path.relative_to(root).as_posix(), line) for path, line in paths if path.is_relative_to(folder)]
    return inside[-1] if inside else None
