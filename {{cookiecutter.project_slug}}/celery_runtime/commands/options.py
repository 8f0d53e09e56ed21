"""What the project's commands take: their options, and the app they belong to."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from celery_runtime.app import Celery

SECONDS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60, "w": 7 * 24 * 60 * 60}
LONGEST = 100 * 365 * SECONDS["d"]

as_json = click.option("--json", "as_json", is_flag=True, help="Print an array of objects.")


def own_app() -> "Celery":
    """Return the app that the command line names by `-A`.

    Raises:
        click.UsageError: it is not an app of `celery_runtime`.
    """
    app = click.get_current_context().obj.app
    if not hasattr(app, "task_modules"):
        raise click.UsageError("this command needs an app of celery_runtime: name yours by -A")
    return cast("Celery", app)


class Duration(click.ParamType[float]):
    """`90s`, `15m`, `1h`, `7d`, `2w`, or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if match := re.fullmatch(r"(\d{1,9})([smhdw]?)", str(value)):
            return min(float(int(match[1]) * SECONDS[match[2] or "s"]), LONGEST)
        self.fail(f"{value!r} is no duration such as 90s, 15m, 1h, 7d or 2w", param, ctx)


class Rate(click.ParamType[float]):
    """`10/s`, `100/m` or `1000/h`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if (match := re.fullmatch(r"(\d+)/([smh])", str(value))) and int(match[1]) > 0:
            return int(match[1]) / SECONDS[match[2]]
        self.fail(f"{value!r} is no rate such as 10/s, 100/m or 1000/h", param, ctx)


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Add the arguments and options that say which dead letters are meant."""
    for option in (
        click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many."),
        click.option(
            "--older-than", type=Duration(), metavar="1h", help="Failed longer ago: 90s, 15m, 1h, 7d."
        ),
        click.option("--task", metavar="T", help="The name of the task, or the end of it; * is any text."),
        click.option("--kind", metavar="K", help="The kind and those below it: network is network.dns too."),
        click.argument("ids", nargs=-1, metavar="[ID]..."),
    ):
        command = option(command)
    return command
