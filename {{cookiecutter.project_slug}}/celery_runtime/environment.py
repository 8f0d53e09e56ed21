"""Read and check environment variables.

A value that cannot be used raises a `ConfigurationError`: one line that names the variable and the remedy.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from dotenv import load_dotenv

Default = TypeVar("Default", int, str, None)

APP_ENVS = ("development", "production", "test")
# Celery lets these win over the settings of every app in the process: those of `.env` are for this app alone.
READ_BY_EVERY_APP = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
_of_this_app: dict[str, str] = {}
OF_DEVELOPMENT = "pytest"  # a package of the development group, on every platform
ON, OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


class ConfigurationError(SystemExit):
    """A setting cannot be used. Uncaught, it prints its one line to stderr and exits with status 1.

    It derives from `SystemExit`, because Celery's command line shows a page of traceback for any other
    exception that is raised while it loads the app.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"error: {problem.rstrip('.')}. {remedy}")


def read_dotenv(folder: Path) -> None:
    """Set the variables of `.env` in the folder, a text in UTF-8, except in tests; what is set already wins."""
    unset = [name for name in READ_BY_EVERY_APP if name not in os.environ]
    for name in set(READ_BY_EVERY_APP).difference(unset):  # Celery takes them with the spaces around a value
        os.environ[name] = os.environ[name].strip()
    if os.environ.get("APP_ENV") == "test":
        return
    try:
        load_dotenv(folder / ".env")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder / '.env'} cannot be read ({error})", "Correct it.") from error
    _of_this_app.update({name: os.environ.pop(name) for name in unset if name in os.environ})


def app_env() -> str:
    """Return `APP_ENV`: one of `APP_ENVS`; if it is unset, development where the group of that name is installed.

    If it is unset elsewhere, or unknown, that is a `ConfigurationError`: production is never taken for development.
    """
    value = os.environ.get("APP_ENV") or ("development" if find_spec(OF_DEVELOPMENT) else None)
    if value is None:
        place = Path(__file__).resolve().parents[1] / ".env"
        raise ConfigurationError(
            "APP_ENV is not set, and the development group is not installed",
            f"Set it to production, in the environment or in {place}; on your own machine, run uv sync.",
        )
    if value not in APP_ENVS:
        raise ConfigurationError(f"APP_ENV={value!r} is unknown", f"Use one of: {', '.join(APP_ENVS)}.")
    return value


def is_development() -> bool:
    return app_env() == "development"


def text(name: str) -> str | None:
    """Return the variable, stripped; None when it is unset or blank."""
    return os.environ.get(name, _of_this_app.get(name, "")).strip() or None


def positive_integer(name: str, default: Default) -> int | Default:
    """Return the variable, which must be a whole number above 0; `default` when it is unset, blank or equal to it."""
    value = text(name)
    if value is None or value == default:
        return default
    if not value.isdecimal() or int(value) == 0:
        remedy = "Give one, or unset it" + ("." if default is None else f" for the default, {default}.")
        raise ConfigurationError(f"{name}={value!r} is not a whole number above 0", remedy)
    return int(value)


def flag(name: str) -> bool:
    """Return whether the variable is 1 (or true, yes, on); it must be that or 0 (or false, no, off, blank)."""
    value = (text(name) or "").lower()
    if value not in ON + OFF:
        raise ConfigurationError(f"{name}={value!r} is neither on nor off", "Use 1 or 0.")
    return value in ON


def names(name: str) -> tuple[str, ...]:
    """Return the variable split at commas: `"ex1*, ex-name"` gives `("ex1*", "ex-name")`."""
    return tuple(part.strip() for part in os.environ.get(name, "").split(",") if part.strip())


def required(name: str, in_development: str) -> str:
    """Return the variable, which must be set in production; elsewhere `in_development` when it is unset or blank."""
    value = text(name)
    if value is None and app_env() == "production":
        raise ConfigurationError(f"{name} is not set, and APP_ENV is 'production'", "Set it.")
    return value or in_development
