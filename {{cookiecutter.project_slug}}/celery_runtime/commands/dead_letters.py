"""Define the command `celery -A PACKAGE dead-letters`: list, show, requeue and purge them."""

import functools
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from celery_runtime.commands.dead_letter_tables import echo_details, echo_entries
from celery_runtime.commands.shared import as_json, counted, echo_json, echo_table, errors_in_a_line, own_app
from celery_runtime.dead_letters.model import DeadLetterFilter
from celery_runtime.dead_letters.requeue import obstacle

if TYPE_CHECKING:
    from celery_runtime.dead_letters import DeadLetter

SHOWN = 50
SECONDS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60, "w": 7 * 24 * 60 * 60}
LONGEST = 100 * 365 * SECONDS["d"]


def duration(value: str) -> float:
    """Read `90s`, `15m`, `1h`, `7d`, `2w`, or a number of seconds."""
    match = re.fullmatch(r"(\d{1,9})([smhdw]?)", value)
    if not match:
        raise click.BadParameter(f"{value!r} is not a duration such as 90s, 15m, 1h, 7d or 2w")
    return min(float(int(match[1]) * SECONDS[match[2] or "s"]), LONGEST)


def rate_per_second(value: str) -> float:
    """Read `10/s`, `100/m` or `1000/h`."""
    match = re.fullmatch(r"(\d+)/([smh])", value)
    if not match or not int(match[1]):
        raise click.BadParameter(f"{value!r} is not a rate such as 10/s, 100/m or 1000/h")
    return int(match[1]) / SECONDS[match[2]]


def choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Add the arguments and options that choose dead letters; the command takes them as one filter."""

    @functools.wraps(command)
    def take_filter(ids: Any, kind: Any, task: Any, older_than: Any, all: bool = True, **others: Any) -> None:
        chosen = DeadLetterFilter(ids, kind, task, older_than)
        if chosen == DeadLetterFilter() and not all:
            raise click.UsageError("say which: IDs, --kind, --task, --older-than, or --all for every one")
        command(chosen, **others)

    for option in (
        click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many."),
        click.option("--older-than", type=duration, metavar="1h", help="Failed longer ago: 90s, 15m, 1h, 7d."),
        click.option("--task", metavar="T", help="The name of the task, or the end of it; * is any text."),
        click.option("--kind", metavar="K", help="The kind and those below it: network is network.dns too."),
        click.argument("ids", nargs=-1, metavar="[ID]..."),
    ):
        take_filter = option(take_filter)
    return take_filter


everything = click.option("--all", "all", is_flag=True, help="Every dead letter.")
dry_run = click.option("--dry-run", is_flag=True, help="Only show which.")


@click.group("dead-letters")
def dead_letters() -> None:
    """Show what has failed for good, run it again, or remove it."""


@dead_letters.command("list")
@choosing
@click.option("--by-kind", is_flag=True, help="Only how many there are of each kind.")
@as_json
@errors_in_a_line()
def list_entries(chosen: DeadLetterFilter, limit: int | None, by_kind: bool, as_json: bool) -> None:
    """Show the newest, 50 unless --limit says otherwise; with --json all of them."""
    if by_kind:
        rows = [{"kind": kind, "number": number} for kind, number in _count(chosen).most_common()]
        echo_json(rows) if as_json else echo_table(("kind", "number"), rows)
        return
    most = limit or (None if as_json else SHOWN)
    found = _find(chosen, most and most + 1)
    _echo(found[:most], as_json)
    if most and len(found) > most and not as_json:
        click.echo(f"There are more than these {most}: --limit N shows them, --by-kind counts them.")


@dead_letters.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@as_json
@errors_in_a_line()
def show(ids: tuple[str, ...], as_json: bool) -> None:
    """Show all that is known of some of them, with arguments and traceback."""
    found = _find(DeadLetterFilter(ids))
    _echo(found, as_json, echo_details)
    _end_where_missing(ids, [entry.id for entry in found])


@dead_letters.command()
@choosing
@everything
@dry_run
@click.option("--rate", type=rate_per_second, metavar="10/s", help="At most so many a second, minute (m) or hour (h).")
@click.option("--force", is_flag=True, help="Also those that were requeued too often.")
@as_json
@errors_in_a_line()
def requeue(
    chosen: DeadLetterFilter, limit: int | None, rate: float | None, force: bool, dry_run: bool, as_json: bool
) -> None:
    """Put tasks back into their queues, oldest first, with their ids and priorities."""
    dead_letters = own_app().dead_letters
    if dry_run:
        most = None if force else dead_letters.most_requeues
        possible = [one for one in _find(chosen) if obstacle(dead_letters.app, one, most) is None]
        _echo_oldest(possible, limit, "requeued", as_json)
        return
    options: dict[str, Any] = {**chosen.arguments, "all": True, "limit": limit, "rate": rate, "force": force}
    with _bar("requeuing", chosen, limit, as_json) as bar:
        done = dead_letters.requeue(*chosen.ids, **options, on_each=lambda _id: bar.update(1))
    if as_json:
        reasons = {**dict.fromkeys(done.ids), **done.refused}
        echo_json([{"id": id_, "requeued": why is None, "reason": why} for id_, why in reasons.items()])
    else:
        click.echo(f"{counted(len(done.ids), 'task')} requeued.")
    for id_, reason in done.refused.items():
        click.echo(f"{id_} stays: {reason}.", err=True)
    if any("was requeued" in reason for reason in done.refused.values()):
        click.echo("--force requeues also those that were requeued too often.", err=True)
    _end_where_missing(chosen.ids, [*done.ids, *done.refused], limit)
    if done.refused:
        sys.exit(1)


@dead_letters.command()
@choosing
@everything
@dry_run
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@errors_in_a_line()
def purge(chosen: DeadLetterFilter, limit: int | None, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Remove dead letters for good, oldest first."""
    if dry_run:
        _echo_oldest(_find(chosen), limit, "removed", as_json)
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("a purge without a terminal wants --yes")
        if number := _number(chosen, limit):
            click.confirm(f"Remove {counted(number, 'dead letter')} for good?", abort=True)
    options: dict[str, Any] = {**chosen.arguments, "all": True, "limit": limit}
    with _bar("removing", chosen, limit, as_json) as bar:
        removed = own_app().dead_letters.purge(*chosen.ids, **options, on_each=lambda _id: bar.update(1))
    if as_json:
        echo_json([{"id": id_} for id_ in removed])
    else:
        click.echo(f"{counted(len(removed), 'dead letter')} removed.")
    _end_where_missing(chosen.ids, removed, limit)


def _count(chosen: DeadLetterFilter) -> "Counter[str]":
    return own_app().dead_letters.count(*chosen.ids, **chosen.arguments)


def _number(chosen: DeadLetterFilter, limit: int | None) -> int:
    number = _count(chosen).total()
    return number if limit is None else min(number, limit)


def _find(chosen: DeadLetterFilter, limit: int | None = None) -> "list[DeadLetter]":
    return own_app().dead_letters.find(*chosen.ids, **chosen.arguments, limit=limit)


def _bar(label: str, chosen: DeadLetterFilter, limit: int | None, as_json: bool) -> Any:
    """Return a progress bar, which is hidden where there is no terminal to show one."""
    hidden = as_json or not sys.stderr.isatty()
    length = 0 if hidden else _number(chosen, limit)
    return click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True, hidden=hidden)


def _echo(entries: "Sequence[DeadLetter]", as_json: bool, echo: Callable[..., None] = echo_entries) -> None:
    shown = [own_app().dead_letters.shown(entry) for entry in entries]
    echo_json(shown) if as_json else echo(shown)


def _echo_oldest(newest: "list[DeadLetter]", limit: int | None, verb: str, as_json: bool) -> None:
    oldest = newest[::-1][:limit]
    _echo(oldest, as_json)
    if not as_json:
        click.echo(f"{counted(len(oldest), 'dead letter')} would be {verb}.")


def _end_where_missing(asked: Sequence[str], found: Sequence[str], limit: int | None = None) -> None:
    missing = [id_ for id_ in dict.fromkeys(asked) if id_ not in found]
    for id_ in missing:
        click.echo(f"Error: no dead letter fits {id_}{' within --limit' if limit else ''}", err=True)
    if missing:
        sys.exit(1)
