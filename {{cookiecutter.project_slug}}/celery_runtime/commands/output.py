"""What the project's commands print: tables for people, arrays of objects for programs."""

import json
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from celery_runtime.commands.options import SECONDS

COLUMNS = ("id", "task", "kind", "runs", "requeued", "failed", "message")


def echo_json(rows: Sequence[dict[str, Any]]) -> None:
    click.echo(json.dumps(rows, indent=2))


def echo_entries(entries: Sequence[dict[str, Any]]) -> None:
    """Print a table of dead letters, as `DeadLetters.shown` gives them."""
    if not entries:
        click.echo("There is no dead letter.")
        return
    rows = [_row(entry) for entry in entries]
    widths = [max(len(str(row[column])) for row in rows) + 2 for column in COLUMNS[:-1]]
    room = max(20, shutil.get_terminal_size((200, 24)).columns - sum(widths))
    for row in rows:
        row["message"] = _cut(row["message"], room)
    echo_table(COLUMNS, rows)


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": entry["id"],
        "task": (entry["task"] or "?").rpartition("celery_tasks.")[2],
        "kind": entry["kind"],
        "runs": entry["attempts"],
        "requeued": entry["requeues"] or ".",
        "failed": _ago(entry["last_failure"]),
        "message": " ".join(_without_control(entry["message"]).split()),
    }


def _without_control(text: str) -> str:
    """Return the text without what would move a terminal's cursor or colour it."""
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)


def echo_details(entries: Sequence[dict[str, Any]]) -> None:
    """Print all of some dead letters, as `DeadLetters.shown` gives them."""
    for entry in entries:
        _echo_detail(dict(entry))


def _echo_detail(entry: dict[str, Any]) -> None:
    click.secho(f"{entry.pop('id')}  {entry.pop('task') or ''}".rstrip(), bold=True)
    trace = entry.pop("traceback")
    signature, raw = entry.pop("signature") or {}, entry.pop("raw") or {}
    options = signature.pop("options", {})
    del entry["parameters"]
    # An option of the same name as an attribute, such as the origin, is another thing and of less interest.
    options = {name: value for name, value in options.items() if name not in entry}
    for name, value in {**entry, **signature, **raw, **options}.items():
        if value not in (None, "", {}, []) and name not in ("task", "task_id"):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            click.echo(f"  {name.replace('_', ' ') + ':':23}{_without_control(text)}")
    if trace:
        click.echo("\n" + "\n".join(f"  {line}" for line in _without_control(trace).rstrip().splitlines()))
    click.echo()


def _ago(moment: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    unit = max((unit for unit in "smhd" if SECONDS[unit] <= max(seconds, 1)), key=SECONDS.__getitem__)
    return f"{int(max(seconds, 0) / SECONDS[unit])}{unit} ago"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def echo_table(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    lines = [tuple(str(row[column]) for column in columns) for row in rows]
    widths = [max(map(len, cells)) for cells in zip(columns, *lines, strict=True)]
    for number, line in enumerate([columns, *lines]):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        click.secho(text, bold=number == 0)
