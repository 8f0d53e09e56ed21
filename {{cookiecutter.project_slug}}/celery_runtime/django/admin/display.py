"""What the pages show of an entry: nothing that has not passed the redaction."""

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

# What the page of an entry shows in its order; arguments and traceback come below these.
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
    """Return the query of the list that the request came from, which every link and form hands on."""
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
    """Return label and text of all that `DeadLetters.shown` tells, but for arguments and traceback."""
    told = {name: shown[name] for name in FACTS if shown[name] not in (None, "", {})}
    for name in ("first_failure", "last_failure"):
        told[name] = f"{localtime(datetime.fromisoformat(told[name])):%Y-%m-%d %H:%M:%S %Z}"
    if "attempts_by_kind" in told:
        told["attempts_by_kind"] = ", ".join(f"{kind}: {n}" for kind, n in told["attempts_by_kind"].items())
    return [(FACTS[name], str(value)) for name, value in told.items()]


def arguments(shown: dict[str, Any]) -> list[tuple[str, str]]:
    """Return name and JSON of each argument."""
    signature = shown["signature"] or {"args": [], "kwargs": {}}
    names = shown["parameters"][: len(signature["args"])]
    positional = zip_longest(names, signature["args"])
    numbered = [(name or f"argument {number}", one) for number, (name, one) in enumerate(positional, 1)]
    return [(name, _json(value)) for name, value in [*numbered, *signature["kwargs"].items()]]


def message(shown: dict[str, Any]) -> list[tuple[str, str]]:
    """Return name and JSON of what else the message states: its options, or the whole where it is no task."""
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
