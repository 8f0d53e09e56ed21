"""The command `celery -A PACKAGE dead-letters`: what has failed for good, to be seen, run again or removed."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from celery_runtime.brokers import embedded
from celery_runtime.commands.options import Rate, as_json, own_app, selecting
from celery_runtime.commands.output import echo_details, echo_entries, echo_json, echo_table

if TYPE_CHECKING:
    from celery_runtime.app import Celery
    from celery_runtime.dead_letters import DeadLetter

SHOWN = 50

everything = click.option("--all", "all", is_flag=True, help="Every dead letter.")
dry_run = click.option("--dry-run", is_flag=True, help="Only show which.")


@click.group("dead-letters")
def dead_letters() -> None:
    """Show what has failed for good, run it again, or remove it."""


@dead_letters.command("list")
@selecting
@click.option("--by-kind", is_flag=True, help="Only how many there are of each kind.")
@as_json
def list_entries(as_json: bool, by_kind: bool, limit: int | None, **chosen: Any) -> None:
    """Show the newest, 50 unless --limit says otherwise; with --json all of them."""
    if by_kind:
        _list_by_kind(as_json, **chosen)
        return
    most = limit or (None if as_json else SHOWN)
    found = _find(most and most + 1, **chosen)
    if as_json:
        echo_json(_shown(found[:most]))
        return
    echo_entries(_shown(found[:most]))
    if most and len(found) > most:
        click.echo(f"There are more than these {most}: --limit N shows them, --by-kind counts them.")


@dead_letters.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@as_json
def show(ids: tuple[str, ...], as_json: bool) -> None:
    """Show all that is known of some of them, with arguments and traceback."""
    found = _find(None, ids)
    if as_json:
        echo_json(_shown(found))
    else:
        echo_details(_shown(found))
    _end_where_missing(ids, [entry.id for entry in found])


@dead_letters.command()
@selecting
@everything
@click.option("--rate", type=Rate(), metavar="10/s", help="At most so many a second, minute (m) or hour (h).")
@dry_run
@click.option("--force", is_flag=True, help="Also those that have come back too often.")
@as_json
def requeue(
    as_json: bool, dry_run: bool, limit: int | None, rate: float | None, force: bool, **chosen: Any
) -> None:
    """Put tasks back into their queues, oldest first, with their ids and priorities."""
    _require_selector(**chosen)
    if dry_run:
        from celery_runtime.dead_letters.requeue import obstacle

        most = None if force else own_app().dead_letters.most_requeues
        _echo_chosen(
            "would be requeued",
            lambda entry: obstacle(own_app(), entry, most) is None,
            limit,
            as_json,
            **chosen,
        )
        return
    with _progress("requeuing", limit, as_json, **chosen) as (app, on_each):
        ids = chosen.pop("ids")
        done = app.dead_letters.requeue(*ids, **chosen, limit=limit, rate=rate, force=force, on_each=on_each)
    if as_json:
        moved = [{"id": id_, "requeued": True, "reason": None} for id_ in done.ids]
        echo_json(
            moved + [{"id": id_, "requeued": False, "reason": why} for id_, why in done.refused.items()]
        )
    else:
        click.echo(f"{_counted(len(done.ids), 'task')} requeued.")
    for id_, reason in done.refused.items():
        click.echo(f"{id_} stays: {reason}.", err=True)
    if any("come back" in reason for reason in done.refused.values()):
        click.echo("--force requeues also what has come back too often.", err=True)
    _end_where_missing(ids, [*done.ids, *done.refused], limit, **chosen)
    if done.refused:
        sys.exit(1)


@dead_letters.command()
@selecting
@everything
@dry_run
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def purge(as_json: bool, dry_run: bool, yes: bool, limit: int | None, **chosen: Any) -> None:
    """Remove dead letters for good, oldest first."""
    _require_selector(**chosen)
    if dry_run:
        _echo_chosen("would be removed", lambda _entry: True, limit, as_json, **chosen)
        return
    if not yes:
        _confirm(limit, **chosen)
    with _progress("removing", limit, as_json, **chosen) as (app, on_each):
        ids = chosen.pop("ids")
        removed = app.dead_letters.purge(*ids, **chosen, limit=limit, on_each=on_each)
    if as_json:
        echo_json([{"id": id_} for id_ in removed])
    else:
        click.echo(f"{_counted(len(removed), 'dead letter')} removed.")
    _end_where_missing(ids, removed, limit, **chosen)


def _require_selector(**chosen: Any) -> None:
    if all(value is None or value is False or value == () for value in chosen.values()):
        raise click.UsageError("say which: IDs, --kind, --task, --older-than, or --all for every one")


def _confirm(limit: int | None, **chosen: Any) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("a purge without a terminal wants --yes")
    with _store() as app:
        number = _number(app, limit, **chosen)
    if number == 0:
        return
    click.confirm(f"Remove {_counted(number, 'dead letter')} for good?", abort=True)


@contextmanager
def _store() -> "Iterator[Celery]":
    """Lend the app; what its store cannot do becomes one line."""
    from celery_runtime.dead_letters import StoreError

    app = own_app()
    try:
        yield app
    except StoreError as error:
        before = f" ({error.done:,} were dealt with before)" if error.done else ""
        hint = embedded.hint(app.conf, "broker")
        raise click.ClickException(f"{error}{before}\n{hint}".strip()) from None
    except KeyboardInterrupt as interrupt:
        click.echo(f"\n{interrupt}", err=True)
        raise


@contextmanager
def _progress(
    label: str, limit: int | None, as_json: bool, **chosen: Any
) -> "Iterator[tuple[Celery, Callable[[str], None]]]":
    """Lend the app, and a function that moves a bar, where there is a terminal to show one."""
    with _store() as app:
        if as_json or not sys.stderr.isatty():
            yield app, lambda _id: None
            return
        with click.progressbar(
            length=_number(app, limit, **chosen), label=label, file=sys.stderr, show_pos=True
        ) as bar:
            yield app, lambda _id: bar.update(1)


def _number(app: "Celery", limit: int | None, ids: Sequence[str], all: bool, **filters: Any) -> int:
    number = len(ids) or app.dead_letters.count(**filters).total()
    return number if limit is None else min(number, limit)


def _find(limit: int | None, ids: Sequence[str], **filters: Any) -> "list[DeadLetter]":
    with _store() as app:
        return app.dead_letters.find(*ids, **filters, limit=limit)


def _shown(entries: "Sequence[DeadLetter]") -> list[dict[str, Any]]:
    return [own_app().dead_letters.shown(entry) for entry in entries]


def _list_by_kind(as_json: bool, ids: Sequence[str], **filters: Any) -> None:
    if ids:
        raise click.UsageError("--by-kind counts, it takes no ID")
    with _store() as app:
        counts = app.dead_letters.count(**filters).most_common()
    rows = [{"kind": kind, "number": number} for kind, number in counts]
    if as_json:
        echo_json(rows)
    else:
        echo_table(("kind", "number"), rows)


def _echo_chosen(
    verb: str,
    fits: "Callable[[DeadLetter], bool]",
    limit: int | None,
    as_json: bool,
    all: bool,
    **chosen: Any,
) -> None:
    oldest = [entry for entry in reversed(_find(None, **chosen)) if fits(entry)][:limit]
    if as_json:
        echo_json(_shown(oldest))
    else:
        echo_entries(_shown(oldest))
        click.echo(f"{_counted(len(oldest), 'dead letter')} {verb}.")


def _end_where_missing(
    asked: Sequence[str], found: Sequence[str], limit: int | None = None, **filters: Any
) -> None:
    stated = [name for name in ("kind", "task", "older_than") if filters.get(name) is not None]
    stated += ["limit"] if limit is not None else []
    beyond = f" within --{', --'.join(stated).replace('_', '-')}" if stated else ""
    missing = [id_ for id_ in dict.fromkeys(asked) if id_ not in found]
    for id_ in missing:
        click.echo(f"Error: there is no dead letter {id_}{beyond}", err=True)
    if missing:
        sys.exit(1)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
