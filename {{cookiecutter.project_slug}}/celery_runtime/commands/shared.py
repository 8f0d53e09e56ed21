"""Share among the commands their app, its errors in a line, tables for people and JSON for programs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import click

from celery_runtime.app import Celery
from celery_runtime.brokers import BrokerError, embedded

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def own_app() -> Celery:
    """Return the app that the command line names by `-A`; a usage error if it is not one of `celery_runtime`."""
    app = click.get_current_context().obj.app
    if not hasattr(app, "task_modules"):
        raise click.UsageError("this command needs an app of celery_runtime: name yours by -A")
    return cast(Celery, app)


@contextmanager
def errors_in_a_line(subject: str = "") -> Iterator[None]:
    """Report an error of the broker in a line, after its subject, with how far the command came."""
    try:
        yield
    except BrokerError as error:
        done = getattr(error, "done", 0)
        before = f" ({done:,} were dealt with before)" if done else ""
        hint = embedded.hint(own_app().conf, "broker")
        raise click.ClickException(f"{subject}{error}{before}\n{hint}".strip()) from None
    except KeyboardInterrupt as interrupt:
        click.echo(f"\n{interrupt}", err=True)
        raise


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def echo_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def echo_table(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    lines = [tuple(str(row[column]) for column in columns) for row in rows]
    widths = [max(map(len, cells)) for cells in zip(columns, *lines, strict=True)]
    for number, line in enumerate([columns, *lines]):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        click.secho(text, bold=number == 0)
