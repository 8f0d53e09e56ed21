"""Finds each message that was sent again: among what was done, what is dead, and what was revoked."""

import base64
import json
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from .fuzzing import Random

MARKER = re.compile(r"m\d{7}x")
NO_DEAD_LETTER = "no dead letter for"


class Account:
    """Of one run: a message is found by its marker, or is one of the dead letters that hold none.

    Random bytes have no room for a marker, and a message may have lost its own: as many as are not found must be
    without one.
    """

    def __init__(self) -> None:
        self.sorts: dict[str, str] = {}

    def sent(self, message: Random) -> None:
        self.sorts[message.marker] = message.sort

    def report(self, app: Any, notes: Path, log: Path) -> dict[str, Any]:
        done = markers_in(notes.read_text()) if notes.exists() else set()
        lines = log.read_text(errors="replace").splitlines()
        revoked = markers_in("\n".join(line for line in lines if NO_DEAD_LETTER in line))
        entries = app.dead_letters.find()
        dead = [markers_in(_text(entry)) for entry in entries]
        not_found = self.sorts.keys() - done.union(revoked, *dead)
        without_marker = sum(not markers for markers in dead)
        lost = len(not_found) - without_marker
        return {
            "sent": dict(Counter(self.sorts.values())),
            "done": len(done),
            "revoked": len(revoked),
            "dead": dict(Counter(entry.kind for entry in entries)),
            "dead without a marker": without_marker,
            "lost": lost,
            # Those without a marker are among them: which ones are lost cannot be told.
            "not found": {marker: self.sorts[marker] for marker in sorted(not_found)} if lost else {},
        }


def markers_in(text: str) -> set[str]:
    return set(MARKER.findall(text))


def _text(entry: Any) -> str:
    """Return all that the entry tells, and what it holds in base64: its body, or that of an envelope on Redis."""
    raw = entry.raw or {}
    told = json.dumps(entry.as_dict(), default=repr)
    if raw.get("base64") is True:
        told += base64.b64decode(raw["body"]).decode(errors="replace")
    with suppress(AttributeError, KeyError, TypeError, ValueError, RecursionError):
        told += base64.b64decode(json.loads(raw["body"])["body"]).decode(errors="replace")
    return told
