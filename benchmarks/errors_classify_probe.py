"""Runs in a baked project's own Python; prints what `classify` takes for errors of the standard library as JSON.

usage: python -m benchmarks.errors_classify_probe PACKAGE
"""

import importlib
import json
import sqlite3
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.http_server import http_server
from tests.faults.loopback import HOST, closed_port, silent_port

from .side_by_side import interleave

ROUNDS = 300
CALLS_PER_BLOCK = 50


def measure(package: str) -> dict[str, dict[str, Any]]:
    """Return by fault what a call took in each block, in seconds, and the kind that it found."""
    module: Any = importlib.import_module("celery_runtime.errors.classify")
    errors = {name: raised_by(fault) for name, fault in faults()}
    blocks = {name: partial(block, module.classify, error) for name, error in errors.items()}
    return {
        name: {
            "seconds": seconds,
            "chain": len(list(module.chain_of(errors[name]))),
            "kind": module.classify(errors[name]).kind,
        }
        for name, seconds in interleave(blocks, ROUNDS).items()
    }


def faults() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the faults; what they need is there until the next is asked for."""
    yield "host name unknown", partial(fetch, "http://faults.invalid/")
    with closed_port() as port:
        yield "connection refused", partial(fetch, f"http://{HOST}:{port}/")
    with silent_port() as port:
        yield "read time-out", partial(fetch, f"http://{HOST}:{port}/")
    with http_server() as url:
        yield "HTTP 404", partial(fetch, f"{url}/status/404")
        yield "HTTP 503", partial(fetch, f"{url}/status/503")
        yield "HTTP 429 with Retry-After", partial(fetch, f"{url}/status/429/seconds/7")
        yield "closed without a reply", partial(fetch, f"{url}/closed")
        yield "answer is no JSON", partial(fetch, f"{url}/json")
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / "shop")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield "database is locked", partial(write, Path(folder) / "shop")
    yield "KeyError behind two others", price_of_nothing


def fetch(url: str) -> object:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=0.5) as response:
        return json.load(response)


def write(database: Path) -> None:
    with closing(sqlite3.connect(database, timeout=0)) as connection:
        connection.execute("BEGIN IMMEDIATE")


def price_of_nothing() -> None:
    try:
        try:
            {}["price"]
        except KeyError as error:
            raise LookupError("no price") from error
    except LookupError as error:
        raise RuntimeError("the order cannot be charged") from error


def raised_by(fault: Callable[[], object]) -> Exception:
    try:
        fault()
    except Exception as error:  # noqa: BLE001 - whatever the fault raises is measured
        return error
    raise AssertionError(f"{fault} raised nothing")


def block(classify: Callable[[Exception], object], error: Exception) -> float:
    start = time.process_time()
    for _ in range(CALLS_PER_BLOCK):
        classify(error)
    return (time.process_time() - start) / CALLS_PER_BLOCK


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
