"""Find the task modules in a folder: names and order only, nothing is imported.

A task module is a Python file whose name matches the pattern, `ex*.py` by default, in the folder of a
package or in a sub-folder. Names that start with `_` or `.` are skipped.
"""

import importlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple


class TaskFileProblem(NamedTuple):
    """Something wrong with a task file. A fatal problem keeps the worker from starting.

    `file` is relative to the project; `line` is 1 where the file or folder as a whole is meant.
    """

    file: str
    line: int
    problem: str
    remedy: str
    fatal: bool = True


class TaskModule(NamedTuple):
    name: str  # "shop.celery_tasks.billing.ex1_invoice"
    path: Path
    file: str  # "shop/celery_tasks/billing/ex1_invoice.py"
    label: str  # "billing/ex1_invoice": a task file filter matches it, as well as "ex1_invoice"


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


def project_root(package: str) -> Path:
    """Return the folder that holds the top-level package."""
    return folder_of(package).parents[package.count(".")]


def scan(package: str, pattern: str) -> Found:
    """Return the task modules of `package` in natural order, and the ignored files with the reason."""
    folder = folder_of(package)
    shown = folder.relative_to(project_root(package)).as_posix()
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
        reason, remedy = obstacle(folder, name, is_folder, pattern)
        if remedy:
            found.problems.append(TaskFileProblem(file, 1, reason, remedy))
        elif reason:
            found.ignored[file] = reason
        elif is_folder:
            _scan_folder(folder / name, file, package, f"{inside}{name}/", pattern, found)
        else:
            found.modules.append(TaskModule(f"{package}.{label}".replace("/", "."), folder / name, file, label))


def obstacle(folder: Path, name: str, is_folder: bool, pattern: str) -> tuple[str, str]:
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
    """Return the modules that match one of the patterns of a task file filter; all without a pattern.

    A pattern is a file name without `.py`, such as `ex1*` or `ex-name`, or a path in the folder,
    such as `billing/*`.

    Raises:
        LookupError: a pattern matches no module.
    """
    chosen: set[TaskModule] = set(() if patterns else modules)
    for pattern in patterns:
        matching = {m for m in modules if fnmatchcase(m.path.stem, pattern) or fnmatchcase(m.label, pattern)}
        if not matching:
            available = ", ".join(module.label for module in modules) or "none"
            raise LookupError(f"{pattern!r} matches no task module. There are: {available}")
        chosen |= matching
    return [module for module in modules if module in chosen]
