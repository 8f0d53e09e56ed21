"""Texts of unknown origin, made fit to be shown, stored and sent."""

import re
from typing import Any

LONGEST_NAME = 255  # bytes, as for AMQP's short texts
SECONDS = {"w": 7 * 24 * 60 * 60, "d": 24 * 60 * 60, "h": 60 * 60, "m": 60, "s": 1}


def seconds_in(text: str) -> float | None:
    """Read `90s`, `15m`, `1h`, `7d`, `2w`, or a number of seconds; return None if it is none of these."""
    match = re.fullmatch(r"(\d{1,9})([smhdw]?)", text)
    return float(int(match[1]) * SECONDS[match[2] or "s"]) if match else None


def message_of(error: BaseException, length: int = 2000) -> str:
    """Return the message, cut to `length` characters; the name of its class where `str()` fails."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a __str__ can raise anything
        return f"<the message of this {type(error).__name__} cannot be read>"
    return text if len(text) <= length else f"{text[: length - 1]}…"


def shortened(text: str, length: int) -> str:
    """Return a text of more than `length` characters without its middle."""
    half = length // 2
    if len(text) <= length:
        return text
    return f"{text[:half]} … {len(text) - 2 * half} characters cut … {text[-half:]}"


def is_name(value: Any) -> bool:
    """Whether the value is a text that can name something in a table, in a key, and in AMQP: at most 255 bytes."""
    # What is printable has no lone surrogate, and so can be encoded.
    return isinstance(value, str) and value.isprintable() and 0 < len(value.encode()) <= LONGEST_NAME
