"""Mask secrets wherever an entry is shown: by a command, by a page, and in the log where the store is away.

The store itself holds the arguments as they are, like the broker: without them no task could run again.
"""

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery_runtime.dead_letters.model import DeadLetter

MASK = "…"
SECRET = re.compile(r"password|passwd|token|secret|authorization|api[_-]?key|credential|pwd", re.IGNORECASE)
_SECRET_IN_TEXT = re.compile(
    "((?:" + SECRET.pattern + r""")[\w.-]{0,40}["']?\s{0,5}[:=]\s{0,5})"""
    r"""("[^"]*"?|'[^']*'?|(?:(?:basic|bearer|token)\s+)?[^\s,;&}\])]+)""",
    re.IGNORECASE,
)
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^\s/@]{0,200}:[^\s/@]{1,200}(?=@)")

# Takes the name of an argument, or of a key inside one, and the value; returns the value to show.
Redact = Callable[[str, Any], Any]


def mask_secrets(name: str, value: Any) -> Any:
    """Return the value, a mask in place of one whose name sounds secret, such as `api_token`."""
    return MASK if SECRET.search(name) and value is not None else value


def redacted(value: Any, redact: Redact, name: str = "") -> Any:
    """Return a copy whose named values have passed `redact`. A value that JSON does not know becomes text."""
    if name:
        try:
            value = redact(name, value)
        except Exception:  # noqa: BLE001 - a function that fails shows nothing
            value = MASK
    if isinstance(value, dict):
        return {str(key): redacted(one, redact, str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(one, redact) for one in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    # JSON may hold lone surrogates, which no terminal and no page takes.
    return _PASSWORD_IN_URL.sub(MASK, str(value)).encode(errors="backslashreplace").decode()


def redacted_text(text: str) -> str:
    """Return a text with a mask after each name that sounds secret, and for passwords in URLs."""
    return _PASSWORD_IN_URL.sub(MASK, _SECRET_IN_TEXT.sub(rf"\g<1>{MASK}", text))


def shown(entry: DeadLetter, redact: Redact) -> dict[str, Any]:
    """Return an entry with its secrets masked, ready for JSON."""
    visible: dict[str, Any] = redacted({**entry.as_dict(), "signature": None, "raw": None}, redact)
    for name in ("message", "traceback"):
        visible[name] = visible[name] and redacted_text(visible[name])
    if entry.signature is not None:
        args = entry.signature["args"]
        names = [*entry.parameters, *[""] * len(args)]  # as far as they are known
        visible["signature"] = redacted({**entry.signature, "args": []}, redact)
        visible["signature"]["args"] = [redacted(one, redact, name) for name, one in zip(names, args, strict=False)]
    if entry.raw is not None:
        visible["raw"] = _shown_raw(entry.raw, redact)
    return visible


def _shown_raw(raw: dict[str, Any], redact: Redact) -> dict[str, Any]:
    raw = dict(raw)
    body = raw.get("body", "")
    if raw.get("base64"):
        raw["body"] = f"{len(body) * 3 // 4} bytes that are not text"
    else:
        with suppress(ValueError, RecursionError):
            raw["body"] = json.loads(body)
    visible: dict[str, Any] = redacted(raw, redact)
    return {name: redacted_text(one) if isinstance(one, str) else one for name, one in visible.items()}
