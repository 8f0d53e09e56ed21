"""Prepare entries for the pages, which show nothing that has not passed the redaction."""

import json
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.timezone import localtime, now

from celery_runtime.app import project_app
from celery_runtime.brokers import embedded
from celery_runtime.dead_letters import DeadLetter, StoreError

# The page of an entry shows these in this order, and arguments and traceback below them.
FACTS = {
    "id": "Task id",
    "task": "Task",
    "kind": "Kind",
    "code": "Code",
    "origin": "Exception",
    "message": "Message",
    "attempts": "Runs",
    "attempts_by_kind": "Failed runs by kind",
    "requeues": "Requeues",
    "first_failure": "First failure",
    "last_failure": "Last failure",
    "queue": "Queue",
    "priority": "Priority",
    "worker": "Worker",
}


def query_of(request: HttpRequest) -> str:
    """Return the query of the list, which every link and form passes on."""
    return f"?{urlencode(list(request.GET.items()))}" if request.GET else ""


def row(entry: DeadLetter, query: str) -> dict[str, Any]:
    """Return an entry for a table, with the URL of its page."""
    url = reverse("admin:dead_letters_deadletter_change", args=[quote(entry.id)])
    shown = project_app().dead_letters.shown(entry)
    return {
        **shown,
        "name": project_app().dead_letters.short_name(shown["task"] or "no task"),
        "failed": _ago(datetime.fromisoformat(entry.last_failure)),
        "url": url + query,
    }


def facts(shown: dict[str, Any]) -> list[tuple[str, str]]:
    """Return label and text of each fact that is not empty."""
    stated = {name: shown[name] for name in FACTS if shown[name] not in (None, "", {})}
    for name in ("first_failure", "last_failure"):
        stated[name] = f"{localtime(datetime.fromisoformat(stated[name])):%Y-%m-%d %H:%M:%S %Z}"
    if kinds := stated.get("attempts_by_kind"):
        stated["attempts_by_kind"] = ", ".join(f"{kind}: {number}" for kind, number in kinds.items())
    return [(FACTS[name], str(value)) for name, value in stated.items()]


def arguments(shown: dict[str, Any]) -> list[tuple[str, str]]:
    """Return name and JSON of each argument."""
    signature = shown["signature"] or {"args": [], "kwargs": {}}
    names = shown["parameters"][: len(signature["args"])]
    positional = zip_longest(names, signature["args"])
    numbered = [(name or f"argument {number}", one) for number, (name, one) in enumerate(positional, 1)]
    return [(name, _json(value)) for name, value in [*numbered, *signature["kwargs"].items()]]


def message(shown: dict[str, Any]) -> list[tuple[str, str]]:
    """Return name and JSON of the rest of the message: its options, or all of it where it is not a task."""
    stated = shown["raw"] or shown["signature"]["options"]
    return [(name, value if isinstance(value, str) else _json(value)) for name, value in stated.items()]


def in_a_line(error: StoreError) -> str:
    return " ".join(f"{error} {embedded.hint(project_app().conf, 'broker')}".split())


def dead_letters(number: int) -> str:
    return "1 dead letter" if number == 1 else f"{number:,} dead letters"


def _ago(moment: datetime) -> str:
    is_fresh = now() - moment < timedelta(minutes=1)
    return "just now" if is_fresh else f"{timesince(moment)} ago"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
