"""`python -m tests.malformed PACKAGE kinds|fuzz`: publish, wait, and print what became of it, as JSON."""

import argparse
import importlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import fuzzing, kinds, rabbitmq_kinds, redis_kinds
from .accounting import Account
from .message import valid
from .publishing import publisher
from .tasks import NOTE

NOTES = Path(os.environ.get("NOTES", "notes"))
PATIENCE = 60.0  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.malformed", description=__doc__)
    parser.add_argument("package", help="a package that was baked, importable from here")
    parser.add_argument("what", choices=["kinds", "fuzz"])
    parser.add_argument("--each", type=int, default=20, help="messages of each kind")
    parser.add_argument("--only", default="", help="a part of the names of the kinds")
    parser.add_argument("--number", type=int, default=500, help="random messages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--log", type=Path, default=Path("/dev/null"), help="that of the worker, which tells what was revoked"
    )
    options = parser.parse_args()
    app = importlib.import_module(options.package).app
    if options.what == "kinds":
        rows = send_kinds(app, options.each, options.only)
        print(json.dumps(rows, indent=1))
        sys.exit(any(row["problem"] for row in rows))
    report = fuzz(app, options.number, options.seed, options.log)
    print(json.dumps(report, indent=1))
    sys.exit(report["lost"] != 0 or not report["answers"])


def send_kinds(app: Any, each: int, only: str) -> list[dict[str, Any]]:
    """Send each kind among good messages, and wait for all of them before the next."""
    task = f"{app.main}.{NOTE}"
    sender = publisher(app)
    special = redis_kinds if sender.broker == "redis" else rabbitmq_kinds
    rows = []
    for kind in (*kinds.kinds(task), *special.kinds(task)):
        if only not in kind.name:
            continue
        numbers = range(min(each, kind.most))
        good = {f"good {kind.name} {number}" for number in numbers}
        for number in numbers:
            sender.publish(kind.make(f"bad-{number}"))
            sender.publish(valid(task, f"good {kind.name} {number}"))
        sent = len(numbers)
        settled = wait_for(lambda good=good, sent=sent: good <= noted() and count(app) >= sent and not sender.waiting())
        dead = Counter(entry.kind for entry in app.dead_letters.find())
        app.dead_letters.purge(all=True)
        right = settled and dead == {kind.expected: sent}
        problem = "" if right else f"{len(good - noted())} of {sent} good ones not done, dead letters: {dict(dead)}"
        rows.append({"kind": kind.name, "expected": kind.expected, "problem": problem})
        if not settled:
            break  # the worker is gone, or stands still
    return rows


def fuzz(app: Any, number: int, seed: int, log: Path) -> dict[str, Any]:
    """Send random messages; return how many were done, how many are dead, and which are neither."""
    sender = publisher(app)
    account = Account()
    for item in fuzzing.items(app.main, sender.broker, number, seed):
        account.sent(item)
        sender.publish(item.item)
    wait_for(lambda: not sender.waiting() and not account.report(app, NOTES, log)["lost"], PATIENCE + number / 20)
    answers = bool(app.control.ping(timeout=5.0))
    return {"seed": seed, "broker": sender.broker, "answers": answers, **account.report(app, NOTES, log)}


def count(app: Any) -> int:
    return sum(app.dead_letters.count().values())


def noted() -> set[str]:
    return set(NOTES.read_text().splitlines()) if NOTES.exists() else set()


def wait_for(condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
    deadline = time.monotonic() + patience
    while True:
        began = time.monotonic()
        if condition():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05 + time.monotonic() - began)  # the more dead letters, the longer it takes to look


if __name__ == "__main__":
    main()
