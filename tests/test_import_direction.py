"""The layers of a generated project: a module imports what its row allows, so nothing points up."""

import ast
import importlib.util
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import OPTIONS


class Row(NamedTuple):
    """A layer's number, modules of it, and what they may import of the project. `*` is any name."""

    layer: int
    modules: str
    may_import: str


# The first row that fits a module is the one that counts. "." is the package itself: it exports the app.
LAYERS = (
    # The ground: what every other module may stand on, and which stands on no other.
    Row(0, "celery_runtime.environment celery_runtime.priorities", ""),
    Row(0, "celery_runtime.discovery celery_runtime.task_source", ""),
    Row(0, "celery_runtime.verdict", ""),
    Row(0, "celery_runtime.*_errors celery_runtime.policy", "celery_runtime.verdict"),
    Row(0, "celery_runtime.errors", "celery_runtime.verdict celery_runtime.*_errors"),
    # The user's own tables.
    Row(1, "queues", "celery_runtime.priorities"),
    Row(1, "schedule", ""),
    Row(1, "error_policy", "celery_runtime.errors celery_runtime.policy"),
    # The page in Django's admin. Nothing imports it: the settings name it.
    Row(
        5,
        "celery_runtime.dead_letters_admin celery_runtime.dead_letters_admin.*",
        "celery_config celery_runtime.dead_letters celery_runtime.embedded celery_runtime.dead_letters_admin*",
    ),
    # The machinery. It is told the queues and the settings; it does not go and get them.
    Row(2, "celery_runtime celery_runtime.*", "celery_runtime.*"),
    # Settings.
    Row(3, "results", "celery_runtime.environment celery_runtime.broker"),
    Row(3, "settings", "queues results schedule celery_runtime.environment celery_runtime.broker"),
    # The app. It names the folder of the task modules and imports none of them.
    Row(4, "celery_config", "celery_runtime.app celery_runtime.task celery_runtime.django_task"),
    Row(4, ".", "celery_config"),
    # The tasks.
    Row(5, "celery_tasks celery_tasks.*", "celery_config queues error_policy"),
    # What Django's servers start with. It names the settings and imports none.
    Row(5, "asgi wsgi urls", ""),
)
# These two are run as commands and so need the app: inside a function, because the app needs the machinery.
COMMANDS = ("celery_runtime.cli_options", "celery_runtime.demo")
GROUND_STANDS_ON = {*sys.stdlib_module_names, "celery", "kombu"}


@dataclass(frozen=True)
class Import:
    """A module that imports another. Those of the project are told without its name in front."""

    importer: str
    imported: str
    ours: bool
    in_function: bool

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported}"


def imports_of(package: Path) -> Iterator[Import]:
    """Find every import below the package, wherever in a file it stands."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if path.name == "__init__.py" else parts)] = path

    def without_package(module: str) -> str:
        return module.removeprefix(package.name).removeprefix(".") or "."

    for importer, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        around = importer if path.name == "__init__.py" else importer.rpartition(".")[0]
        functions = [
            node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        in_functions = {node for function in functions for node in ast.walk(function)}
        for node in ast.walk(tree):
            for imported in imported_by(node, around, modules):
                ours = f"{imported}.".startswith(f"{package.name}.")
                name = without_package(imported) if ours else imported
                yield Import(without_package(importer), name, ours, node in in_functions)


def imported_by(node: ast.AST, around: str, modules: dict[str, Path]) -> Iterator[str]:
    """Return the full names of the modules that the statement imports; `around` is the package it is in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        source = importlib.util.resolve_name("." * node.level + (node.module or ""), around)
        for alias in node.names:
            member = f"{source}.{alias.name}"
            yield member if member in modules else source


def fits(module: str, patterns: str) -> bool:
    return any(fnmatchcase(module, pattern) for pattern in patterns.split())


def row_of(module: str) -> Row:
    rows = [row for row in LAYERS if fits(module, row.modules)]
    assert rows, f"{module} is in no layer: give it a row in LAYERS"
    return rows[0]


@pytest.fixture(params=itertools.product(OPTIONS["framework"], OPTIONS["result_backend"]), ids="-".join)
def imports(request, baked) -> list[Import]:
    framework, result_backend = request.param
    return list(imports_of(baked(framework=framework, result_backend=result_backend).package))


def is_a_command_that_imports_the_app(one: Import) -> bool:
    return one.importer in COMMANDS and one.imported == "." and one.in_function


def test_every_module_imports_only_what_its_row_allows(imports):
    ours = [one for one in imports if one.ours and not is_a_command_that_imports_the_app(one)]
    assert [str(one) for one in ours if not fits(one.imported, row_of(one.importer).may_import)] == []


def test_no_row_allows_what_is_above_it(imports):
    ours = [one for one in imports if one.ours and not is_a_command_that_imports_the_app(one)]
    assert [str(one) for one in ours if row_of(one.imported).layer > row_of(one.importer).layer] == []


def test_the_ground_stands_on_celery_and_kombu_alone(imports):
    ground = [one for one in imports if row_of(one.importer).layer == 0 and not one.ours]
    assert [str(one) for one in ground if one.imported.partition(".")[0] not in GROUND_STANDS_ON] == []


def test_the_machinery_runs_without_django(imports):
    machinery = [one for one in imports if fits(one.importer, "celery_runtime celery_runtime.*")]
    # The base of tasks in a Django project, and its page in the admin, are written in no other.
    only_django = "celery_runtime.django_task celery_runtime.dead_letters_admin*"
    shared = [one for one in machinery if not fits(one.importer, only_django)]
    at_once = [one for one in shared if not one.in_function]
    assert [str(one) for one in at_once if fits(one.imported, "django django.* django_* dj_*")] == []
