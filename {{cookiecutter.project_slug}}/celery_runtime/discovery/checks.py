"""Check the tasks that the task files have registered, the schedule, and the version of this library.

Runs in: worker main process, beat, `tasks check`. Nothing that only publishes imports this module.
"""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import celery
import kombu

from celery_runtime.brokers import OWN, rabbitmq_names
from celery_runtime.discovery import options
from celery_runtime.discovery.files import TaskFileProblem, line_of_text, lines_of, natural
from celery_runtime.discovery.loading import TaskModules
from celery_runtime.discovery.pool import PROBLEM, REMEDY, is_green
from celery_runtime.discovery.undone import undone
from celery_runtime.retry.task import Task

# The library overrides private parts of these, which may change with any minor version.
TESTED = {celery: "5.7", kombu: "5.7"}


def problems(modules: TaskModules) -> Iterator[TaskFileProblem]:
    """Yield the problems of the registered tasks, fatal or not."""
    yield from _foreign_bases(modules)
    yield from _duplicate_names(modules)
    for task in modules.own_tasks():
        for problem, remedy in options.of_task(task, modules.app):
            yield TaskFileProblem(*modules.location(task), problem, remedy)
    yield from _wrong_settings(modules)
    file = f"{modules.project}/queues.py"
    for name in sorted(modules.app.amqp.queues):
        same = rabbitmq_names.in_program(main := modules.app.main, rabbitmq_names.on_server(main, name))
        if re.split("[.:]", same)[0] in OWN:
            problem = f"the queue {name!r} has a name that this library keeps for itself"
            remedy = f"Rename it: no queue is named, or begins with, {', '.join(OWN)}."
            yield TaskFileProblem(file, line_of_text(modules.root / file, name), problem, remedy)


def warnings(modules: TaskModules) -> Iterator[TaskFileProblem]:
    """Yield the problems that are worth a look where none is fatal."""
    yield from _files_without_tasks(modules)
    named = [(entry, stated["task"], "schedules") for entry, stated in modules.app.conf.beat_schedule.items()]
    named += [(name, name, "routes") for name, _ in options.stated_routes(modules.app.conf) if "*" not in name]
    for entry, name, does in named:
        is_known = name in modules.app.tasks or modules.owns_left_out(name)
        if name.startswith(f"{modules.package}.") and not is_known:
            problem = f"{entry!r} {does} the task {name}, which is in no task file"
            remedy = "Correct the name, or remove the entry."
            yield TaskFileProblem(*_stating(modules, entry), problem, remedy, fatal=False)
    for name, consequence in undone(modules.app.conf):
        remedy = "Remove it, unless you mean it."
        yield TaskFileProblem(*_setting(modules, name), f"{name} undoes a promise: {consequence}", remedy, fatal=False)
    for problem, remedy in _other_versions(modules.root):
        yield TaskFileProblem("celery_runtime", 1, problem, remedy, fatal=False)


def default_pool(modules: TaskModules) -> Iterator[TaskFileProblem]:
    """Yield the problem with the pool of the settings, which beat does not use, and a worker may override."""
    if is_green(modules.app.conf.worker_pool):
        yield TaskFileProblem(*_setting(modules, "worker_pool"), PROBLEM, REMEDY)


def _setting(modules: TaskModules, name: str) -> tuple[str, int]:
    """Return the file and the line in which a setting is stated."""
    file = f"{modules.project}/settings.py"
    return file, max(line_of_text(modules.root / file, text) for text in (name, name.upper()))  # as in Django


def _stating(modules: TaskModules, entry: str) -> tuple[str, int]:
    """Return the file and the line that name an entry of the schedule or of the routes."""
    for file in ("schedule.py", "settings.py"):
        if (line := line_of_text(modules.root / modules.project / file, repr(entry)[1:-1])) > 1:
            return f"{modules.project}/{file}", line
    return _setting(modules, "task_routes")


def _wrong_settings(modules: TaskModules) -> Iterator[TaskFileProblem]:
    for setting, entry, problem in options.of_settings(modules.app):
        yield TaskFileProblem(*(_stating(modules, entry) if entry else _setting(modules, setting)), *problem)


def _files_without_tasks(modules: TaskModules) -> Iterator[TaskFileProblem]:
    own = modules.own_tasks()
    having = {modules.location(task)[0] for task in own} | {task.__module__ for task in own}
    for module in modules.selected:
        if having.isdisjoint((module.file, module.name)):
            remedy = "Decorate a function with @app.task; or begin the name of the file with _."
            yield TaskFileProblem(module.file, 1, "it has no task", remedy, fatal=False)


def _foreign_bases(modules: TaskModules) -> Iterator[TaskFileProblem]:
    base = modules.app.Task
    if not isinstance(base, type):
        return  # Celery could not register the tasks either
    remedy = "Derive {} from the Task of celery_config.py, not from Celery's."
    if not issubclass(base, Task):
        name = base.__name__
        statement = f".Task = {name}"
        files = sorted((modules.root / modules.project).rglob("*.py"))
        stating = (path for path in files if statement.encode() in path.read_bytes())
        path = next(stating, modules.root / modules.folder)
        place = modules.relative(path), line_of_text(path, statement)
        problem = f"app.Task becomes {name}: error_policy.py no longer holds for the tasks of any file"
        yield TaskFileProblem(*place, problem, remedy.format(name), fatal=False)
    foreign: dict[type, list[celery.Task]] = {}
    for task in modules.own_tasks():
        if task.__module__.startswith(f"{modules.package}.") and not isinstance(task, (Task, base)):
            foreign.setdefault(type(task).__mro__[1], []).append(task)
    for cls, tasks in foreign.items():
        first, *others = sorted(tasks, key=modules.location)
        names = f"{first.name}{f' and {len(others)} more' if others else ''}"
        problem = f"the base of {names} is {cls.__name__}, for which error_policy.py does not hold"
        yield TaskFileProblem(*modules.location(first), problem, remedy.format(cls.__name__), fatal=False)


def _duplicate_names(modules: TaskModules) -> Iterator[TaskFileProblem]:
    # Celery registers the tasks of an app in no particular order, and reports some twice.
    pairs = {(name, *sorted((first, second))) for name, first, second in modules.app.duplicate_task_names}
    for name, *functions in sorted(pairs):
        places = []
        for function in set(functions):
            module, _, own_name = function.rpartition(".")
            path = getattr(sys.modules.get(module), "__file__", None)  # none for a function in a function
            file = modules.relative(Path(path)) if path else function
            places += [(natural(file), file, line) for line in lines_of(Path(path or ""), own_name) or [1]]
        (_, other_file, other_line), (_, file, line) = min(places), max(places)
        remedy = "Rename one of the two functions, or give it a name of its own by name=…."
        yield TaskFileProblem(file, line, f"the task name {name!r} is taken by {other_file}:{other_line}", remedy)


def _other_versions(root: Path) -> Iterator[tuple[str, str]]:
    """Yield a problem and its remedy where another `celery_runtime`, Celery or kombu runs than was tested."""
    imported, beside = Path(__file__).resolve().parents[1], (root / "celery_runtime").resolve()
    remedy = "Give each project an environment of its own."
    if imported != beside and beside.is_dir():
        yield f"Python imports {imported}, and not this one", remedy
    elif not (root / "pyproject.toml").exists():  # installed from a wheel
        owners = sorted(set(metadata.packages_distributions().get("celery_runtime", ())))
        if len(owners) > 1:
            yield f"{' and '.join(owners)} have each installed one here, and the last one counts", remedy
    for module, tested in TESTED.items():
        name, version = module.__name__, module.__version__
        if not version.startswith(f"{tested}."):
            remedy = f"Install it: uv add '{name}~={tested}.0'."
            yield f"it was tested with {name} {tested}, and this is {version}", remedy
