"""Imports the task modules in a worker or beat, and refuses to start when one is broken.

Celery's `include` stops at the first broken module. Here they are imported one by one, so that all
that is wrong is told at once.
"""

import importlib
import inspect
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from celery_runtime import environment
from celery_runtime.brokers.priorities import LEVELS
from celery_runtime.discovery import library, limits
from celery_runtime.discovery.files import Problem, TaskModule, folder_of, natural, project_root, scan, select
from celery_runtime.discovery.source import explicit_task_names, line_of_text, lines_of

SELECTION_VARIABLE = "CELERY_TASK_MODULES"


class BrokenTaskModules(SystemExit):
    """A worker or beat must not start: `problems` holds every reason, fatal or not."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        fatal = [problem for problem in problems if problem.fatal]
        count = "1 problem" if len(fatal) == 1 else f"{len(fatal)} problems"
        super().__init__(f"error: {count} in the task modules; nothing was started.\n\n{describe(fatal)}")


def describe(problems: Iterable[Problem]) -> str:
    """Return two lines for each problem: where and what, then the remedy."""
    return "\n".join(
        f"{'' if p.fatal else 'warning: '}{p.file}:{p.line}: {p.problem}\n    {p.remedy}" for p in problems
    )


class TaskModules:
    """The task modules of one app: which were imported, which were left out by the selection."""

    def __init__(self, app: Any, package: str) -> None:
        self.app = app
        self.package = package
        self.root = project_root(package)
        self.selected: list[TaskModule] = []
        self.left_out: list[TaskModule] = []
        self.ignored: dict[str, str] = {}
        self.problems: list[Problem] = []

    def load(self) -> None:
        """Import the selected modules and check their tasks.

        Raises:
            BrokenTaskModules: with every fatal problem.
        """
        found = scan(self.package, self.app.conf.task_file_pattern)
        self.ignored = found.ignored
        self.problems = list(found.problems)
        self.selected = self._select(found.modules)
        chosen = {module.name for module in self.selected}
        self.left_out = [module for module in found.modules if module.name not in chosen]
        for module in self.selected:
            self.problems.extend(self._import(module))
        self.problems.extend(self._register())
        self.problems.extend(self._foreign_bases())
        self.problems.extend(self._duplicate_names())
        self.problems.extend(self._wrong_options())
        self.problems.extend(self._taken_queues())
        if any(problem.fatal for problem in self.problems):
            raise BrokenTaskModules(self.problems)
        self.problems.extend(self._scheduled())
        self.problems.extend(library.problems(self.root))

    def owns_left_out(self, task_name: str) -> bool:
        """Whether a task belongs to a module of this project that this worker was told to leave out."""
        return any(
            task_name.startswith(f"{module.name}.") or task_name in explicit_task_names(module.path)
            for module in self.left_out
        )

    def _select(self, modules: Sequence[TaskModule]) -> list[TaskModule]:
        try:
            return select(modules, environment.names(SELECTION_VARIABLE))
        except LookupError as error:
            folder = folder_of(self.package).relative_to(self.root).as_posix()
            remedy = f"Correct --tasks or {SELECTION_VARIABLE}."
            self.problems.append(Problem(folder, 1, str(error), remedy))
            return []

    def _import(self, module: TaskModule) -> Iterator[Problem]:
        try:
            imported = importlib.import_module(module.name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a task file can raise anything
            yield _import_problem(module, error, self.package.partition(".")[0])
        else:
            yield from _shadowed(module, imported)

    def _register(self) -> Iterator[Problem]:
        try:
            self.app.finalize()
        except Exception as error:  # noqa: BLE001 - decorators are evaluated here, with any option at all
            folder = folder_of(self.package).relative_to(self.root).as_posix()
            problem = f"{_summary(error)} while the tasks were registered"
            yield Problem(folder, 1, problem, "Correct the options of a task's decorator.")
        else:
            from celery_runtime.retry.task import drop_late_default

            for task in self.own_tasks():  # also those whose base is not the project's
                drop_late_default(task, self.app.conf)

    def _foreign_bases(self) -> Iterator[Problem]:
        from celery_runtime.retry.task import Task  # a process that runs no task is spared its import

        replacing = tuple(base for _, base in self.app.replaced_bases if isinstance(base, type))
        for place, base in self.app.replaced_bases:
            if isinstance(base, type) and not issubclass(base, Task):
                yield Problem(
                    self._relative(place.filename),
                    place.lineno or 1,
                    f"app.Task becomes {base.__name__}: error_policy.py no longer holds for the tasks of any file",
                    f"Derive {base.__name__} from the Task of celery_config.py, and name it at the tasks that want it: "
                    f"@app.task(base={base.__name__}).",
                    fatal=False,
                )
        for task in self.own_tasks():
            if task.__module__.startswith(f"{self.package}.") and not isinstance(task, (Task, *replacing)):
                base = type(task).__mro__[1]
                yield Problem(
                    *self.location(task),
                    f"the base of {task.name} is {base.__name__}, for which error_policy.py does not hold",
                    f"Derive {base.__name__} from the Task of celery_config.py, not from Celery's.",
                    fatal=False,
                )

    def _duplicate_names(self) -> Iterator[Problem]:
        # Celery registers the tasks of an app in no particular order, and tells some twice.
        pairs = {(name, *sorted((first, second))) for name, first, second in self.app.duplicate_task_names}
        for name, *functions in sorted(pairs):
            places = sorted(place for function in set(functions) for place in self._definitions(function))
            (_, other_file, other_line), (_, file, line) = places[0], places[-1]
            yield Problem(
                file,
                line,
                f"the task name {name!r} is taken by {other_file}:{other_line}",
                "Rename one of the two functions, or give it a name of its own by name=….",
            )

    def _wrong_options(self) -> Iterator[Problem]:
        queues = self.app.amqp.queues
        for task in self.own_tasks():
            queue = getattr(task, "queue", None)
            name = getattr(queue, "name", queue)
            file, line = self.location(task)
            if name is not None and name not in queues:
                remedy = f"Use one of {', '.join(sorted(queues))}, or add it in queues.py."
                yield Problem(file, line, f"the queue {name!r} of {task.name} does not exist", remedy)
            priority = getattr(task, "priority", None)
            if priority is not None and priority not in LEVELS:
                problem = f"the priority {priority!r} of {task.name} does not exist"
                yield Problem(file, line, problem, "Use a whole number from 0 to 9.")
            for problem, remedy in limits.problems(task, self.app.conf):
                yield Problem(file, line, problem, remedy)
            if (table := getattr(task, "policy", None)) is not None:
                from celery_runtime.retry.policy import check_rules  # not imported by what only publishes

                try:
                    check_rules(table)
                except (TypeError, ValueError) as error:
                    yield Problem(file, line, f"{task.name}: {error}", "Correct the policy of this task.")

    def _taken_queues(self) -> Iterator[Problem]:
        file = f"{self.package.partition('.')[0]}/queues.py"
        for name in sorted({"dead-letters", f"{self.app.main}.dead-letters"} & set(self.app.amqp.queues)):
            problem = f"the queue {name!r} has the name under which dead letters are kept"
            yield Problem(file, line_of_text(self.root / file, name), problem, "Give it another name.")

    def _scheduled(self) -> Iterator[Problem]:
        file = f"{self.package.partition('.')[0]}/schedule.py"
        for entry, options in self.app.conf.beat_schedule.items():
            name = options["task"]
            if not name.startswith(f"{self.package}.") or name in self.app.tasks or self.owns_left_out(name):
                continue
            problem = f"{entry!r} schedules the task {name}, which is in no task file"
            remedy = "Correct the name, or remove the entry."
            yield Problem(file, line_of_text(self.root / file, entry), problem, remedy, fatal=False)

    def own_tasks(self) -> list[Any]:
        """Return all registered tasks but Celery's own."""
        return [task for name, task in self.app.tasks.items() if not name.startswith("celery.")]

    def location(self, task: Any) -> tuple[str, int]:
        """Return the file of a task, relative to the project where it lies inside, and its line."""
        code = getattr(inspect.unwrap(task.run), "__code__", None)
        if code is None:
            return self._relative(inspect.getsourcefile(type(task)) or ""), 1
        return self._relative(code.co_filename), code.co_firstlineno

    def _definitions(self, qualified_name: str) -> Iterator[tuple[list[str | int], str, int]]:
        module_name, _, name = qualified_name.rpartition(".")
        path = getattr(sys.modules.get(module_name), "__file__", None)
        file = qualified_name if path is None else self._relative(path)
        for line in lines_of(Path(path or ""), name) or [1]:
            yield natural(file), file, line

    def _relative(self, path: str) -> str:
        resolved = Path(path).resolve()
        inside = resolved.is_relative_to(self.root)
        return resolved.relative_to(self.root).as_posix() if inside else str(resolved)


def _shadowed(module: TaskModule, imported: ModuleType) -> Iterator[Problem]:
    if imported.__file__ in (None, str(module.path)):  # resolving both takes almost as long as the import
        return
    if Path(imported.__file__).resolve() != module.path.resolve():
        problem = f"Python imports {imported.__file__} under this name"
        yield Problem(module.file, 1, problem, "Rename one of the two.")


def _summary(error: BaseException) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    first_line, *_ = message.splitlines() or [""]
    return f"{type(error).__name__}: {first_line}"


def _import_problem(module: TaskModule, error: BaseException, project: str) -> Problem:
    what = _summary(error)
    if isinstance(error, SyntaxError) and error.filename == str(module.path):
        return Problem(module.file, error.lineno or 1, what, "Correct the syntax of this line.")
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(module.path)
    ]
    line = (frames[-1].lineno if frames else None) or 1
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        if top == project:
            return Problem(module.file, line, what, "Correct the import: the project has no such module.")
        return Problem(module.file, line, what, f"Install what it needs, for instance: uv add {top}")
    if isinstance(error, SystemExit):
        what = f"the file ends the process while it is imported (SystemExit: {error.code})"
        return Problem(
            module.file, line, what, 'Move it into a function, or under if __name__ == "__main__".'
        )
    return Problem(module.file, line, f"{what} while the file was imported", "Correct this line.")
