"""Print dead letters for people, as `DeadLetters.shown` returns them."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from celery_runtime.commands.shared import echo_table, own_app, without_control

COLUMNS = ("id", "task", "kind", "runs", "requeued", "failed", "message")
UNITS = {"d": 24 * 60 * 60, "h": 60 * 60, "m": 60, "s": 1}


def echo_entries(entries: Sequence[dict[str, Any]]) -> None:
    """Print a table, its messages cut where the terminal ends."""
    if not entries:
        click.echo("There is no dead letter.")
        return
    rows = [_row(entry) for entry in entries]
    widths = [max(len(str(row[column])) for row in rows) + 2 for column in COLUMNS[:-1]]
    room = max(20, shutil.get_terminal_size((200, 24)).columns - sum(widths))
    for row in rows:
        text = row["message"]
        row["message"] = text if len(text) <= room else f"{text[: room - 1]}…"
    echo_table(COLUMNS, rows)


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": entry["id"],
        "task": own_app().dead_letters.short_name(entry["task"] or "?"),
        "kind": entry["kind"],
        "runs": entry["attempts"],
        "requeued": entry["requeues"] or ".",
        "failed": _ago(entry["last_failure"]),
        "message": " ".join(without_control(entry["message"]).split()),
    }


def _ago(moment: str) -> str:
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    unit = next((unit for unit, length in UNITS.items() if seconds >= length), "s")
    return f"{max(seconds, 0) // UNITS[unit]}{unit} ago"


def echo_details(entries: Sequence[dict[str, Any]]) -> None:
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
                click.echo(f"  {name.replace('_', ' ') + ':':23}{without_control(text)}")
        if trace:
            lines = without_control(trace).rstrip().splitlines()
            click.echo("\n" + "\n".join(f"  {line}" for line in lines))
        click.echo()
