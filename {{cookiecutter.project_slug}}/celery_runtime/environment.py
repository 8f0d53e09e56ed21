"""Environment variables, read and checked in one place.

A value that cannot be used ends the process with one line that names the variable and the remedy.
"""

import os
from pathlib import Path
from typing import TypeVar

from dotenv import load_dotenv

Default = TypeVar("Default", int, str, None)

APP_ENVS = ("development", "production", "test")
FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class ConfigurationError(SystemExit):
    """A setting cannot be used. Uncaught, it prints its one line to stderr and exits with status 1.

    It derives from `SystemExit` because the command line of Celery turns any other exception raised
    while it loads the app into a page of traceback.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"error: {problem.rstrip('.')}. {remedy}")


def read_dotenv(folder: Path) -> None:
    """Take over the variables of `.env` in the project's folder; those that are set already win. Tests read none."""
    if os.environ.get("APP_ENV") != "test":
        load_dotenv(folder / ".env")


def app_env() -> str:
    """Return `APP_ENV`: one of `APP_ENVS`, development when unset."""
    value = os.environ.get("APP_ENV") or "development"
    if value not in APP_ENVS:
        raise ConfigurationError(f"APP_ENV={value!r} is unknown", f"Use one of: {', '.join(APP_ENVS)}.")
    return value


def is_development() -> bool:
    return app_env() == "development"


def text(name: str) -> str | None:
    """Return the variable, stripped; None when it is unset or blank."""
    return os.environ.get(name, "").strip() or None


def positive_integer(name: str, default: Default) -> int | Default:
    """Return the variable as a whole number, `default` when it is unset, blank or equal to it.

    Raises:
        ConfigurationError: it is no whole number above 0.
    """
    value = text(name)
    if value is None or value == default:
        return default
    if not value.isdecimal() or int(value) == 0:
        raise ConfigurationError(
            f"{name}={value!r} is no whole number above 0",
            "Give one, or unset it" + ("." if default is None else f" for the default, {default}."),
        )
    return int(value)


def flag(name: str) -> bool:
    """Return whether the variable is set to 1 (or true, yes, on).

    Raises:
        ConfigurationError: it is none of these, nor 0, false, no, off or blank.
    """
    value = (text(name) or "0").lower()
    if value not in FLAGS:
        raise ConfigurationError(f"{name}={value!r} is neither on nor off", "Use 1 or 0.")
    return FLAGS[value]


def names(name: str) -> tuple[str, ...]:
    """Return the variable split at commas: `"ex1*, ex-name"` gives `("ex1*", "ex-name")`."""
    return tuple(part.strip() for part in os.environ.get(name, "").split(",") if part.strip())


def required(name: str, in_development: str) -> str:
    """Return the variable; `in_development` where it is unset in development or in tests.

    Raises:
        ConfigurationError: it is unset in production.
    """
    value = text(name)
    if value is None and app_env() == "production":
        raise ConfigurationError(f"{name} is not set, and APP_ENV is 'production'", "Set it.")
    return value or in_development
