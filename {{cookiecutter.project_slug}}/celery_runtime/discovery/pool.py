"""Refuse a pool of greenlets, gevent's or eventlet's. Runs in: worker main process, `celery multi`, `tasks check`."""

from typing import Any

import click
from celery.concurrency import get_implementation

from celery_runtime.environment import ConfigurationError

PROBLEM = "a pool of greenlets (gevent, eventlet) loses tasks: what a stop ends counts as done"
REMEDY = "Use --pool threads where many tasks wait at a time, else --pool prefork, the default."


def is_green(pool: Any) -> bool:
    """Whether a pool, by its class, alias or path, runs tasks in greenlets."""
    try:
        return bool(getattr(get_implementation(pool), "is_green", False))
    except (ImportError, AttributeError):  # a path that leads nowhere, of which Celery tells; or it is not installed
        return pool == "eventlet"


def refuse_green(pool: Any) -> None:
    """Raise `ConfigurationError` for a pool of greenlets."""
    if is_green(pool):
        raise ConfigurationError(PROBLEM, REMEDY)


def option() -> click.Option:
    """Return an option that nobody gives: so click comes to it last, knows the pool, and has detached nothing yet."""

    def check(ctx: click.Context, _param: click.Parameter, _value: Any) -> None:
        refuse_green(ctx.params.get("pool"))

    return click.Option(["--check-pool"], hidden=True, is_flag=True, expose_value=False, callback=check)
