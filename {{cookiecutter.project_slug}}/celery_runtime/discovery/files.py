"""Find the task modules in a folder, and read what they define: nothing is imported.

A task module is a Python file whose name matches the pattern, `ex*.py` by default, in the folder of a package or in a
sub-folder. Names that start with `_` or `.` are skipped.
"""

import ast
import functools
import importlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple


class TaskFileProblem(NamedTuple):
    """Something wrong with a task file. A fatal problem keeps the worker from starting."""

    file: str  # relative to the project
    line: int  # 1 where the file or folder as a whole is meant
    problem: str
    remedy: str
    fatal: bool = True


class TaskModule(NamedTuple):
    name: str  # "shop.celery_tasks.billing.ex1_invoice"
    path: Path
    file: str  # "shop/celery_tasks/billing/ex1_invoice.py"
    label: str  # "billing/ex1_invoice"

    def fits(self, pattern: str) -> bool:
        """Whether a pattern matches its file name without `.py`, as `ex1*` may, or its label, as `billing/*` may."""
        return fnmatchcase(self.path.stem, pattern) or fnmatchcase(self.label, pattern)


@dataclass
class Found:
    """The result of one scan of the folder. `ignored` maps files to the reason."""

    modules: list[TaskModule] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    problems: list[TaskFileProblem] = field(default_factory=list)


def natural(text: str) -> list[str | int]:
    """Return a sort key under which `ex2` comes before `ex10`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def folder_of(package: str) -> Path:
    """Return the folder of a sub-package, which need not exist, wherever the process was started."""
    parent, _, name = package.rpartition(".")
    return Path(importlib.import_module(parent).__path__[0]).resolve() / name


def scan(package: str, root: Path, pattern: str) -> Found:
    """Return the task modules of `package` in natural order, and the ignored files with the reason."""
    folder = folder_of(package)
    shown = folder.relative_to(root).as_posix()
    found = Found()
    if folder.is_dir():
        _scan_folder(folder, shown, package, "", pattern, found)
    else:
        remedy = f"Create it, with an empty __init__.py and task files named {pattern}."
        found.problems.append(TaskFileProblem(shown, 1, "the folder of the task modules is missing", remedy))
    if not found.modules and not found.problems:
        problem = f"no file matches {pattern}: there is no task to run"
        remedy = f"Add a task file, such as {folder.name}/ex1_hello.py."
        found.problems.append(TaskFileProblem(shown, 1, problem, remedy, fatal=False))
    return found


def _scan_folder(folder: Path, shown: str, package: str, inside: str, pattern: str, found: Found) -> None:
    # Strings and os.scandir, because thousands of Path objects would cost a fourth of the imports.
    with os.scandir(folder) as scanned:
        entries = sorted((entry.is_dir(), natural(entry.name), entry.name) for entry in scanned)
    for is_folder, _, name in entries:
        if name in ("__init__.py", "__pycache__", "README.md"):
            continue
        file, label = f"{shown}/{name}", inside + (name.rpartition(".")[0] or name)
        reason, remedy = reason_to_pass_over(folder, name, is_folder, pattern)
        if remedy:
            found.problems.append(TaskFileProblem(file, 1, reason, remedy))
        elif reason:
            found.ignored[file] = reason
        elif is_folder:
            _scan_folder(folder / name, file, package, f"{inside}{name}/", pattern, found)
        else:
            found.modules.append(TaskModule(f"{package}.{label}".replace("/", "."), folder / name, file, label))


def reason_to_pass_over(folder: Path, name: str, is_folder: bool, pattern: str) -> tuple[str, str]:
    """Return why a file or folder is passed over, and the remedy if that is a problem; what is not is empty."""
    stem = name.rpartition(".")[0] or name
    plain = stem.replace(".", "_")
    if name.startswith(("_", ".")):
        return f"starts with {name[0]}", ""
    if not is_folder:
        if not fnmatchcase(name, pattern):
            return f"does not match {pattern}", ""
        if "." in stem:
            return "a dot in its name keeps it from being imported", f"Rename it to {plain}.py."
    elif (folder / name).is_symlink():
        return "is a link to a folder, which could lead in a circle", ""
    elif fnmatchcase(name, pattern):
        return "has the name of a task file, and is a folder", f"Rename it to {plain}, or turn it into a file."
    elif "." in name and any((folder / name).rglob(pattern)):
        problem = "a dot in the folder's name keeps its task files from being imported"
        return problem, f"Rename it to {name.replace('.', '_')}."
    return "", ""


def filtered(modules: Sequence[TaskModule], patterns: Sequence[str]) -> list[TaskModule]:
    """Return the modules that fit one of the patterns, all without a pattern; one that fits none is a `LookupError`."""
    for pattern in patterns:
        if not any(module.fits(pattern) for module in modules):
            available = ", ".join(module.label for module in modules) or "none"
            raise LookupError(f"{pattern!r} matches no task module. There are: {available}")
    return [module for module in modules if not patterns or any(map(module.fits, patterns))]


def lines_of(path: Path, function: str) -> list[int]:
    """Return the lines of the functions and classes of that name, ascending; empty without one."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return sorted(node.lineno for node in _nodes(path) if isinstance(node, kinds) and node.name == function)


def line_of_text(path: Path, text: str) -> int:
    """Return the first line that holds the text, 1 without one."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((number for number, line in enumerate(lines, start=1) if text in line), 1)


@functools.cache
def explicit_task_names(path: Path) -> frozenset[str]:
    """Return the literal names in decorators, as in `@app.task(name="mail.send", old_names=["mail.post"])`."""
    decorators = (decorator for node in _nodes(path) for decorator in getattr(node, "decorator_list", ()))
    calls = (decorator for decorator in decorators if isinstance(decorator, ast.Call))
    values = (keyword.value for call in calls for keyword in call.keywords if keyword.arg in ("name", "old_names"))
    parts = (part for value in values for part in ast.walk(value))
    return frozenset(p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str))


def _nodes(path: Path) -> Iterator[ast.AST]:
    try:
        return ast.walk(ast.parse(path.read_bytes()))
    except (OSError, SyntaxError, ValueError):
        return iter(())
