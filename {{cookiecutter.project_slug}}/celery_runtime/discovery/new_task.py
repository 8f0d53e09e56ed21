"""Writes a task file and its test: `tasks new`. It imports no task file, so broken ones are not in its way."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate
from keyword import iskeyword
from pathlib import Path
from string import Template
from typing import Any

from celery_runtime.discovery.files import TaskModule, folder_of, project_root, scan
from celery_runtime.discovery.source import explicit_task_names

LINE_LENGTH = 110  # of the formatter, in pyproject.toml
IMPORTABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# What the two files call something else, what pytest takes for its own, and what the linter takes for a digit.
RESERVED = re.compile(r"app|str|worker|test.*|pytest.*|(setup|teardown)_(module|function)|[IOl]")

TASK = Template('''\
"""Say here what this task is for, and what to know before it is used."""

from ${dots}celery_config import app


@app.task(queue=${queue})
def ${function}(name: str) -> str:
    """Say here what it does, and what it returns."""
    return f"Hello, {name}!"
''')

TEST = Template("""\
from ${module} import ${function}


def test_a_worker_runs_${function}(worker):
    assert ${function}.delay("you").get(timeout=10) == "Hello, you!"
""")


class Refused(Exception):
    """Nothing was written. The message says in one line why, and what to do."""


@dataclass(frozen=True)
class NewTask:
    """The names of a task that is to be written: "shop.celery_tasks", ("billing",), "ex1_send", "send"."""

    package: str
    sub_folders: tuple[str, ...]
    stem: str
    function: str

    @property
    def module(self) -> str:
        return ".".join((self.package, *self.sub_folders, self.stem))

    @property
    def folders(self) -> list[Path]:
        """That of all task files, then each further one that leads to this one."""
        return list(accumulate(self.sub_folders, Path.joinpath, initial=folder_of(self.package)))

    @property
    def file(self) -> Path:
        return self.folders[-1] / f"{self.stem}.py"

    @property
    def test(self) -> Path:
        name = "_".join(("test", *self.sub_folders, self.function))
        return project_root(self.package) / "tests" / f"{name}.py"

    def shown(self, path: Path) -> str:
        """Return the path as seen from the project."""
        return path.relative_to(project_root(self.package)).as_posix()


def write_new_task(app: Any, name: str) -> NewTask:
    """Write a task file and its test, or nothing.

    `name` is that of the task, "send_invoice", or of its file, "ex15_send_invoice"; either may have
    sub-folders in front, "billing/send_invoice".

    Raises:
        Refused: the name cannot be used or is taken, the project's tests are not there, or a file cannot
            be written.
    """
    package, pattern = app.task_modules.package, app.conf.task_file_pattern
    modules = scan(package, pattern).modules
    new = _named(name, package, pattern, modules)
    names = {
        "dots": "." * new.module.count("."),
        "queue": json.dumps(app.conf.task_default_queue),
        "module": new.module,
        "function": new.function,
    }
    # The task file comes last: a worker may start as soon as it is there.
    files = {new.test: TEST.substitute(names), new.file: TASK.substitute(names)}
    if any(len(line) > LINE_LENGTH for text in files.values() for line in text.splitlines()):
        raise Refused(f"{name!r} is too long for lines of {LINE_LENGTH} characters. Choose a shorter name.")
    _check_place(new, pattern)
    _check_is_free(new, pattern, modules)
    try:
        _create([folder for folder in new.folders if not folder.is_dir()], files)
    except FileExistsError as error:
        raise _exists(new, Path(error.filename)) from None
    except OSError as error:
        raise Refused(f"nothing was written: {error}. Mend that, and try again.") from None
    return new


def _named(name: str, package: str, pattern: str, modules: Sequence[TaskModule]) -> NewTask:
    path = name.removeprefix(f"{package.replace('.', '/')}/").removesuffix(".py")
    *sub_folders, last = path.split("/")
    for part in (*sub_folders, last):
        if not IMPORTABLE.fullmatch(part):
            raise Refused(
                f"{part!r} is no name for a task or a folder of tasks. Use letters, digits and _, and begin "
                "with a letter."
            )
    parent = ".".join((package, *sub_folders))
    beside = [module.path.stem for module in modules if module.name.rpartition(".")[0] == parent]
    stem = _stem(last, pattern, beside)
    function = _function(stem, pattern)
    for part in (*sub_folders, stem, function):
        if iskeyword(part):
            raise Refused(f"{part!r} is a keyword of Python. Choose another name.")
    if RESERVED.fullmatch(function):
        raise Refused(f"{function!r} means something else in a task file or its test. Choose another name.")
    return NewTask(package, tuple(sub_folders), stem, function)


def _prefix(pattern: str) -> str:
    """Return what stands before the first wildcard."""
    return re.split(r"[*?[]", pattern)[0]


def _stem(name: str, pattern: str, beside: Sequence[str]) -> str:
    """Return the name where it matches the pattern, else with what makes it match: "ex", and the next number."""
    if fnmatchcase(f"{name}.py", pattern):
        return name
    prefix = _prefix(pattern)
    if not prefix.endswith("_"):
        numbers = [re.match(rf"{re.escape(prefix)}([0-9]+)", stem) for stem in beside]
        prefix += f"{max((int(number[1]) for number in numbers if number), default=0) + 1}_"
    stem = f"{prefix}{name}"
    if not IMPORTABLE.fullmatch(stem) or not fnmatchcase(f"{stem}.py", pattern):
        raise Refused(f"{name}.py does not match {pattern}, as task files must. Choose a name that does.")
    return stem


def _function(stem: str, pattern: str) -> str:
    """Return what follows the prefix and the number of a task file's name: "send" of "ex15_send"."""
    prefix = re.escape(_prefix(pattern).removesuffix("_"))
    named = re.fullmatch(rf"{prefix}_?[0-9]*_([A-Za-z]\w*)", stem)
    return named[1] if named else stem


def _check_place(new: NewTask, pattern: str) -> None:
    tests = new.test.parent
    if not (tests / "conftest.py").is_file():
        raise Refused(
            f"there is no {tests / 'conftest.py'}, from which the test of a task gets its worker. Run this in "
            "the source of the project, with its tests."
        )
    for folder in new.folders[1:]:
        if folder.is_symlink():
            raise Refused(f"{new.shown(folder)} is a link, which is not searched. Choose another folder.")
        if fnmatchcase(folder.name, pattern):
            raise Refused(f"{new.shown(folder)} has the name of a task file. Choose another folder.")


def _check_is_free(new: NewTask, pattern: str, modules: Sequence[TaskModule]) -> None:
    # Of a folder and a file with one name, Python imports one alone.
    for path in (new.file.with_suffix(""), *(folder.with_suffix(".py") for folder in new.folders[1:])):
        if path.exists():
            raise _exists(new, path)
    task = f"{new.module}.{new.function}"
    for module in modules:
        if module.path.parent == new.file.parent and _function(module.path.stem, pattern) == new.function:
            raise _exists(new, module.path)
        if task in explicit_task_names(module.path):
            raise Refused(f"{module.file} has a task of the name {task}. Choose another name.")


def _exists(new: NewTask, path: Path) -> Refused:
    return Refused(f"{new.shown(path)} is there already. Choose another name, or remove it.")


def _create(folders: Sequence[Path], files: Mapping[Path, str]) -> None:
    """Create them all, or none where one of them exists or cannot be written."""
    with ExitStack() as undo:
        for folder in folders:
            folder.mkdir()
            undo.callback(folder.rmdir)
        for path, text in files.items():
            with path.open("x", encoding="utf-8") as file:
                undo.callback(path.unlink)
                file.write(text)
        undo.pop_all()
