"""The tests of the machinery that are too slow for every user to run; they belong beside a project's own."""

import shutil
from pathlib import Path

from .baking import TEMPLATE, BakedProject

FOLDER = TEMPLATE / "tests/machinery"


def add_machinery_tests(project: BakedProject, tests: Path) -> None:
    """Copy them into a folder of the project's own tests; those of Django's admin only where there is Django."""
    others = () if (project.path / "manage.py").exists() else ("*_admin.py",)
    shutil.copytree(FOLDER, tests / FOLDER.name, ignore=shutil.ignore_patterns("__pycache__", *others))


def copy_tests(project: BakedProject, folder: Path) -> None:
    """Copy all tests of the project, and those of the machinery, into another folder, from where they run as well."""
    shutil.copytree(project.path / "tests", folder / "tests")
    shutil.copy(project.path / "pyproject.toml", folder)
    add_machinery_tests(project, folder / "tests")
