"""Reads the table of docs/errors.md that tells what is done with the usual errors."""

import json
import pydoc
import re
import sys
import urllib.error
from collections.abc import Iterator
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import celery_runtime

PAGE = Path(celery_runtime.__path__[0]) / "docs/errors.md"
WITH_HEADER = " with `Retry-After`"


class Row(NamedTuple):
    errors: list[str]
    kind: str
    what: str

    def names(self) -> list[str]:
        return re.findall(r"`([A-Za-z_.]+)`", " ".join(error for error in self.errors if WITH_HEADER not in error))


def rows() -> list[Row]:
    table = PAGE.read_text().partition("| error | kind | what is done |\n")[2].partition("\n\n")[0]
    cells = [re.split(r" *\| *", line.strip("| ")) for line in table.splitlines()[1:]]
    return [Row(errors.split(", "), kind.strip("`"), what) for errors, kind, what in cells]


def statuses() -> Iterator[tuple[int, bool, Row]]:
    """Yield each status that a row names, whether it comes with `Retry-After`, and the row; "other" ones too."""
    found = [
        (int(number[0]), WITH_HEADER in error, row)
        for row in rows()
        for error in row.errors
        if (number := re.search(r"\b\d{3}\b", error))
    ]
    yield from found
    named = {status for status, _, _ in found}
    for row in rows():
        for error in row.errors:
            if other := re.search(r"other (\d)xx", error):
                yield from ((s, False, row) for s in HTTPStatus if s // 100 == int(other[1]) and s not in named)


def http_error(status: int, with_header: bool) -> urllib.error.HTTPError:
    headers = Message()
    if with_header:
        headers["Retry-After"] = "7"
    return urllib.error.HTTPError("http://127.0.0.1/", status, "", headers, None)


def kind_of(name: str) -> str | None:
    """Return the kind of an exception of this class of which nothing more is known; None if it is not installed."""
    cls = pydoc.locate(name)
    return celery_runtime.classify(cls.__new__(cls)).kind if isinstance(cls, type) else None


if __name__ == "__main__":  # where all libraries are installed
    json.dump({name: kind_of(name) for row in rows() for name in row.names()}, sys.stdout)
