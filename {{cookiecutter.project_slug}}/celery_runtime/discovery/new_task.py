"""Write a task file and its test: `tasks new`. It imports no task file, so a broken one does not stop it."""

import json
import re
from collections.abc import Sequence
from itertools import accumulate
from keyword import iskeyword
from os.path import lexists
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from celery_runtime.discovery.files import TaskModule, explicit_task_names, folder_of, reason_to_pass_over, scan

LINE_LENGTH = 110  # of the formatter, in pyproject.toml
IMPORTABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
PATTERN = re.compile(rf"(|{IMPORTABLE.pattern})\*\.py")  # a prefix, then anything
# The two files use these names themselves, pytest treats them as its own, or the linter refuses them.
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


class NewTask(NamedTuple):
    """A task that is to be written."""

    module: str  # "shop.celery_tasks.billing.ex1_send"
    function: str  # "send"
    folders: list[Path]  # the folder of all task files, then each further one that leads to the file
    file: Path
    test: Path

    def shown(self, path: Path) -> str:
        """Return the path as seen from the project."""
        return path.relative_to(self.test.parents[1]).as_posix()


def write_new_task(app: Any, name: str) -> NewTask:
    """Write a task file and its test, or nothing: `Refused` says why.

    `name` is that of the task, "refund", or of its file, "ex15_refund"; either may be in sub-folders, "billing/refund".
    The pattern of task files must be a prefix and `*.py`.
    """
    package, root, pattern = app.task_modules.package, app.task_modules.root, app.conf.task_file_pattern
    if (fitting := PATTERN.fullmatch(pattern)) is None:
        raise Refused(f"task files match {pattern}, which is not of the form ex*.py. Write this one by hand.")
    modules = scan(package, root, pattern).modules
    new = _named(name, package, root, fitting[1], modules)
    _check_place(new, pattern, fitting[1], modules)
    dots, queue = "." * new.module.count("."), json.dumps(app.conf.task_default_queue)
    files = {  # the task file is last, because a worker may start as soon as it is there
        new.test: TEST.substitute(module=new.module, function=new.function),
        new.file: TASK.substitute(dots=dots, queue=queue, function=new.function),
    }
    if any(len(line) > LINE_LENGTH for text in files.values() for line in text.splitlines()):
        raise Refused(f"{name!r} is too long for lines of {LINE_LENGTH} characters. Choose a shorter name.")
    missing = [folder for folder in new.folders if not folder.is_dir()]
    written: list[Path] = []
    try:
        new.file.parent.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink()
        for folder in filter(Path.is_dir, reversed(missing)):
            folder.rmdir()
        raise Refused(f"nothing was written: {error}. Correct that, and try again.") from None
    return new


def _named(name: str, package: str, root: Path, prefix: str, modules: Sequence[TaskModule]) -> NewTask:
    *parents, stated = name.removeprefix(f"{package.replace('.', '/')}/").removesuffix(".py").split("/")
    folders = list(accumulate(parents, Path.joinpath, initial=folder_of(package)))
    stem = stated if stated.startswith(prefix) else f"{prefix}{stated}"
    if stem != stated and not prefix.endswith("_"):
        beside = [module.path.stem for module in modules if module.path.parent == folders[-1]]
        numbers = [int(number[1]) for other in beside if (number := re.match(f"{prefix}([0-9]+)", other))]
        stem = f"{prefix}{max(numbers, default=0) + 1}_{stated}"
    function = _function(stem, prefix)
    for part in (*parents, stated, function):
        if not IMPORTABLE.fullmatch(part):
            rule = "Use letters, digits and _, and begin with a letter."
            raise Refused(f"{part!r} is not a name for a task or a folder of tasks. {rule}")
        if iskeyword(part):
            raise Refused(f"{part!r} is a keyword of Python. Choose another name.")
    if RESERVED.fullmatch(function):
        raise Refused(f"{function!r} means something else in a task file or its test. Choose another name.")
    test = root / "tests" / f"{'_'.join(('test', *parents, function))}.py"
    return NewTask(".".join((package, *parents, stem)), function, folders, folders[-1] / f"{stem}.py", test)


def _function(stem: str, prefix: str) -> str:
    """Return the part after the prefix and the number of a task file's name: "send" of "ex15_send"."""
    named = re.fullmatch(rf"{prefix.removesuffix('_')}_?[0-9]*_([A-Za-z]\w*)", stem)
    return named[1] if named else stem


def _check_place(new: NewTask, pattern: str, prefix: str, modules: Sequence[TaskModule]) -> None:
    conftest = new.test.parent / "conftest.py"
    if not conftest.is_file():
        remedy = "Run this in the source of the project, with its tests."
        raise Refused(f"there is no {conftest}, from which the test of a task gets its worker. {remedy}")
    for folder in new.folders[1:]:
        if reason := reason_to_pass_over(folder.parent, folder.name, True, pattern)[0]:
            raise Refused(f"{new.shown(folder)} {reason}. Choose another folder.")
    # A folder can be there already, but not a file of its name. Python imports only one of a folder and a file.
    taken = [folder for folder in new.folders if not folder.is_dir()]
    taken += [new.file, new.file.with_suffix(""), *(folder.with_suffix(".py") for folder in new.folders[1:])]
    task = f"{new.module}.{new.function}"
    for module in modules:
        if task in explicit_task_names(module.path):
            raise Refused(f"{module.file} has a task of the name {task}. Choose another name.")
        if module.path.parent == new.file.parent and _function(module.path.stem, prefix) == new.function:
            taken.append(module.path)
    if existing := next(filter(lexists, (*taken, new.test)), None):
        raise Refused(f"{new.shown(existing)} is there already. Choose another name, or remove it.")
