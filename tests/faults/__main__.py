"""`python -m tests.faults PACKAGE [--json] [AREA …]`: a table of fault, library, verdict and what was expected."""

import argparse
import importlib
import json
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import django

from scripts.columns import columns

from .fault import Fault, Unavailable

AREAS = (
    "http",
    "smtp",
    "recorded",
    "postgresql",
    "recorded_databases",
    "mariadb",
    "sqlite",
    "redis_server",
    "brokers",
)
TOLERANCE = 2.0  # seconds by which a Retry-After that is a date may differ


class Row(NamedTuple):
    """One fault and what was made of it; `missing` is set instead where it could not be caused here."""

    area: str
    fault: str = ""
    library: str = ""
    verdict: str = ""
    expected: str = ""
    code: str | None = None
    origin: str = ""
    right: bool = True
    missing: str = ""


def rows_of(area: str, classify: Callable[[BaseException], Any]) -> Iterator[Row]:
    try:
        with importlib.import_module(f"{__package__}.{area}").faults() as faults:
            for fault in faults:
                yield row_of(area, fault, classify)
    except Unavailable as error:
        yield Row(area, right=False, missing=str(error))


def row_of(area: str, fault: Fault, classify: Callable[[BaseException], Any]) -> Row:
    try:
        fault.cause()
    except Exception as error:  # noqa: BLE001 - a fault of any library
        verdict = classify(error)
    else:
        return Row(area, fault.name, fault.library, "no error", fault.expected, right=False)
    right = verdict.kind == fault.expected and same_delay(verdict.retry_after, fault.retry_after)
    origin = verdict.origin
    return Row(area, fault.name, fault.library, verdict.kind, fault.expected, verdict.code, origin, right)


def same_delay(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, abs_tol=TOLERANCE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("package", help="a package that was baked, importable from here")
    parser.add_argument("areas", nargs="*", default=AREAS, help=f"of {', '.join(AREAS)}; default: all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    importlib.import_module(options.package)  # it names the settings of Django
    classify = importlib.import_module("celery_runtime").classify
    django.setup()
    rows = [row for area in options.areas for row in rows_of(area, classify)]
    print(json.dumps([row._asdict() for row in rows], indent=1) if options.json else table(rows))
    sys.exit(any(not row.right and not row.missing for row in rows))


def table(rows: list[Row]) -> str:
    lines = [("fault", "library", "verdict", "expected", "code", "")]
    lines += [
        (row.fault, row.library, row.verdict, row.expected, row.code or "", "" if row.right else "WRONG")
        for row in rows
        if not row.missing
    ]
    text = columns(lines)
    wrong = sum(not row.right and not row.missing for row in rows)
    text.append(f"{len(lines) - 1} faults, {wrong} with another verdict than expected")
    text += [f"{row.area}: not caused here, {row.missing}" for row in rows if row.missing]
    return "\n".join(text)


if __name__ == "__main__":
    main()
