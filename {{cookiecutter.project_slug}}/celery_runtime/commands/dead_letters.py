"""Define the command `celery -A PACKAGE dead-letters`: list, show, requeue and purge them."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from celery_runtime.commands.shared import as_json, counted, echo_json, echo_table, errors_in_a_line, own_app
from celery_runtime.dead_letters.model import DeadLetter, DeadLetterFilter
from celery_runtime.dead_letters.requeue import obstacle
from celery_runtime.text import SECONDS, seconds_in

SHOWN = 50


def duration(value: str) -> float:
    if (seconds := seconds_in(value)) is None:
        raise click.BadParameter(f"{value!r} is not a duration such as 90s, 15m, 1h, 7d or 2w")
    return seconds


def rate_per_second(value: str) -> float:
    """Read `10/s`, `100/m` or `1000/h`."""
    if (match := re.fullmatch(r"(\d+)/([smh])", value)) and int(match[1]):
        return int(match[1]) / SECONDS[match[2]]
    raise click.BadParameter(f"{value!r} is not a rate such as 10/s, 100/m or 1000/h")


CHOOSING: tuple[click.Parameter, ...] = (
    click.Argument(["ids"], nargs=-1, metavar="[ID]..."),
    click.Option(["--kind"], metavar="K", help="The kind and those below it: network is network.dns too."),
    click.Option(["--task"], metavar="T", help="The name of the task, or the end of it; * is any text."),
    click.Option(["--older-than"], type=duration, metavar="1h", help="Failed longer ago: 90s, 15m, 1h, 7d."),
    click.Option(["--limit"], type=click.IntRange(min=1), metavar="N", help="At most so many."),
)
ACTING = (
    *CHOOSING,
    click.Option(["--all"], is_flag=True, help="Every dead letter."),
    click.Option(["--dry-run"], is_flag=True, help="Only show which."),
)


@click.group("dead-letters")
def dead_letters() -> None:
    """Show what has failed for good, run it again, or remove it."""


@dead_letters.command("list", params=[*CHOOSING])
@click.option("--by-kind", is_flag=True, help="Only how many there are of each kind.")
@as_json
@errors_in_a_line()
def list_entries(ids: tuple[str, ...], limit: int | None, by_kind: bool, as_json: bool, **chosen: Any) -> None:
    """Show the newest, 50 unless --limit says otherwise; with --json all of them."""
    if by_kind:
        kinds = own_app().dead_letters.count(*ids, **chosen)
        rows = [{"kind": kind, "number": number} for kind, number in kinds.most_common()]
        echo_json(rows) if as_json else echo_table(("kind", "number"), rows)
        return
    most = limit or (None if as_json else SHOWN)
    found = own_app().dead_letters.find(*ids, **chosen, limit=most and most + 1)
    _echo(found[:most], as_json)
    if most and len(found) > most and not as_json:
        click.echo(f"There are more than these {most}: --limit N shows them, --by-kind counts them.")


@dead_letters.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@as_json
@errors_in_a_line()
def show(ids: tuple[str, ...], as_json: bool) -> None:
    """Show all that is known of some of them, with arguments and traceback."""
    found = own_app().dead_letters.find(*ids)
    _echo(found, as_json, _echo_details)
    _end_where_missing(ids, [entry.id for entry in found])


class _Choice:
    """Hold what the command line says of the entries to requeue or purge."""

    def __init__(self, ids: tuple[str, ...], limit: int | None, as_json: bool, all: bool, **chosen: Any) -> None:
        self.ids, self.limit, self.as_json, self.chosen = ids, limit, as_json, chosen
        if DeadLetterFilter(ids, **chosen) == DeadLetterFilter() and not all:
            raise click.UsageError("say which: IDs, --kind, --task, --older-than, or --all for every one")

    def number(self) -> int:
        number = own_app().dead_letters.count(*self.ids, **self.chosen).total()
        return min(number, self.limit or number)

    def show(self, verb: str, fits: Callable[[DeadLetter], bool] = lambda entry: True) -> None:
        """Show which entries would be dealt with, oldest first."""
        newest = own_app().dead_letters.find(*self.ids, **self.chosen)
        oldest = [entry for entry in reversed(newest) if fits(entry)][: self.limit]
        _echo(oldest, self.as_json)
        if not self.as_json:
            click.echo(f"{counted(len(oldest), 'dead letter')} would be {verb}.")

    def act(self, label: str, act: Callable[..., Any], **options: Any) -> Any:
        """Act, and show a progress bar if there is a terminal."""
        hidden = self.as_json or not sys.stderr.isatty()
        length = 0 if hidden else self.number()
        with click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True, hidden=hidden) as bar:
            options.update(self.chosen, all=True, limit=self.limit, on_each=lambda _id: bar.update(1))
            return act(*self.ids, **options)


@dead_letters.command(params=[*ACTING])
@click.option("--rate", type=rate_per_second, metavar="10/s", help="At most so many a second, minute (m) or hour (h).")
@click.option("--force", is_flag=True, help="Also those that were requeued too often.")
@as_json
@errors_in_a_line()
def requeue(rate: float | None, force: bool, dry_run: bool, **arguments: Any) -> None:
    """Put tasks back into their queues, oldest first, with their ids and priorities."""
    choice, letters = _Choice(**arguments), own_app().dead_letters
    if dry_run:
        choice.show("requeued", lambda entry: obstacle(letters.app, entry, force) is None)
        return
    done = choice.act("requeuing", letters.requeue, rate=rate, force=force)
    reasons = {**dict.fromkeys(done.ids), **done.refused}
    rows = [{"id": id_, "requeued": why is None, "reason": why} for id_, why in reasons.items()]
    echo_json(rows) if choice.as_json else click.echo(f"{counted(len(done.ids), 'task')} requeued.")
    for id_, reason in done.refused.items():
        click.echo(f"{id_} stays: {reason}.", err=True)
    if any("was requeued" in reason for reason in done.refused.values()):
        click.echo("--force requeues also those that were requeued too often.", err=True)
    _end_where_missing(choice.ids, list(reasons), choice.limit)
    if done.refused:
        sys.exit(1)


@dead_letters.command(params=[*ACTING])
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@errors_in_a_line()
def purge(yes: bool, dry_run: bool, **arguments: Any) -> None:
    """Remove dead letters for good, oldest first."""
    choice = _Choice(**arguments)
    if dry_run:
        choice.show("removed")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("a purge without a terminal wants --yes")
        if number := choice.number():
            click.confirm(f"Remove {counted(number, 'dead letter')} for good?", abort=True)
    removed = choice.act("removing", own_app().dead_letters.purge)
    rows = [{"id": id_} for id_ in removed]
    echo_json(rows) if choice.as_json else click.echo(f"{counted(len(removed), 'dead letter')} removed.")
    _end_where_missing(choice.ids, removed, choice.limit)


def _end_where_missing(asked: Sequence[str], found: Sequence[str], limit: int | None = None) -> None:
    missing = [id_ for id_ in dict.fromkeys(asked) if id_ not in found]
    for id_ in missing:
        click.echo(f"Error: no dead letter fits {id_}{' within --limit' if limit else ''}", err=True)
    if missing:
        sys.exit(1)


def _echo(entries: Sequence[DeadLetter], as_json: bool, echo: Callable[..., None] | None = None) -> None:
    shown = [own_app().dead_letters.shown(entry) for entry in entries]
    echo_json(shown) if as_json else (echo or _echo_rows)(shown)


def _echo_rows(entries: Sequence[dict[str, Any]]) -> None:
    """Print a table, its messages cut where the terminal ends."""
    rows = [
        {
            "id": entry["id"],
            "task": own_app().dead_letters.short_name(entry["task"] or "?"),
            "kind": entry["kind"],
            "runs": entry["attempts"],
            "requeued": entry["requeues"] or ".",
            "failed": _ago(entry["last_failure"]),
            "message": " ".join(_without_control(entry["message"]).split()),
        }
        for entry in entries
    ]
    if not rows:
        click.echo("There is no dead letter.")
        return
    widths = [max(len(str(row[column])) for row in rows) + 2 for column in rows[0] if column != "message"]
    room = max(20, shutil.get_terminal_size((200, 24)).columns - sum(widths))
    for row in rows:
        text = row["message"]
        row["message"] = text if len(text) <= room else f"{text[: room - 1]}…"
    echo_table(list(rows[0]), rows)


def _ago(moment: str) -> str:
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()))
    unit = next((unit for unit in "dhm" if seconds >= SECONDS[unit]), "s")
    return f"{seconds // SECONDS[unit]}{unit} ago"


def _echo_details(entries: Sequence[dict[str, Any]]) -> None:
    """Print each with all its attributes, the options of its message, and its traceback."""
    for entry in map(dict, entries):
        click.secho(f"{entry.pop('id')}  {entry.pop('task') or ''}".rstrip(), bold=True)
        trace, raw = entry.pop("traceback"), entry.pop("raw") or {}
        signature = entry.pop("signature") or {}
        # An option may have the name of an attribute, such as the origin: the attribute is of more interest.
        options = {name: one for name, one in signature.pop("options", {}).items() if name not in entry}
        del entry["parameters"]
        for name, value in {**entry, **signature, **raw, **options}.items():
            if value not in (None, "", {}, []) and name not in ("task", "task_id"):
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                click.echo(f"  {name.replace('_', ' ') + ':':23}{_without_control(text)}")
        if trace:
            lines = _without_control(trace).rstrip().splitlines()
            click.echo("\n" + "\n".join(f"  {line}" for line in lines))
        click.echo()


def _without_control(text: str) -> str:
    """Return the text without characters that move a terminal's cursor or colour it."""
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)
