"""Print which tests pass on one side alone, and exit with 1 where `known.py` does not explain it.

`make foreign KEEP=/tmp/logs` keeps what the tests and the workers have printed.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.baking import plain_project
from scripts.choices import BROKERS
from scripts.columns import columns
from scripts.unavailable import Unavailable

from .known import KNOWN
from .suite import MODULES, Result, Suite

STOCK, OURS = SIDES = ("stock", "shop")
Sides = dict[str, tuple[Result, Result]]  # of each test, on the stock app and on the baked one


def main() -> None:
    unexplained = 0
    with tempfile.TemporaryDirectory(prefix="foreign-") as name:
        folder = Path(name)
        suite = Suite(plain_project(folder), folder)
        suite.prepare()
        try:
            # Most of the time the tests wait, so all run at once.
            with ThreadPoolExecutor() as pool:
                compared = list(pool.map(lambda broker: compare(suite, broker), BROKERS))
            for broker, sides in zip(BROKERS, compared, strict=True):
                differing = differences(sides)
                print(f"\n{broker}: {summary(sides)}\n{table(differing)}", flush=True)
                unexplained += sum(explanation(test) is None for test in differing)
        except Unavailable as error:
            sys.exit(f"error: {error}.")
        finally:
            if keep := os.environ.get("KEEP"):
                shutil.copytree(folder / "logs", keep, dirs_exist_ok=True)
    print(f"\n{unexplained} differences are unexplained")
    sys.exit(unexplained > 0)


def compare(suite: Suite, broker: str) -> Sides:
    """Run the tests on both sides at once; those that differ run once more, among themselves."""
    sides = run(suite, broker, MODULES, "all")
    assert sides, "not a test was collected; KEEP=/tmp/logs shows why"
    if differing := differences(sides):
        sides |= run(suite, broker, list(differing), "again")
    return sides


def run(suite: Suite, broker: str, tests: Sequence[str], attempt: str) -> Sides:
    with ThreadPoolExecutor() as pool:
        stock, ours = pool.map(lambda app: suite.run(app, broker, tests, attempt), SIDES)
    return {test: (stock.get(test, Result()), ours.get(test, Result())) for test in stock | ours}


def differences(sides: Sides) -> Sides:
    return {test: both for test, both in sides.items() if both[0].passes != both[1].passes}


def explanation(test: str) -> str | None:
    return KNOWN.get(test.partition("[")[0])


def summary(sides: Sides) -> str:
    counts = {"both pass": 0, "only stock passes": 0, "only ours passes": 0, "neither passes": 0, "skipped": 0}
    for stock, ours in sides.values():
        if {stock.outcome, ours.outcome} == {"skipped"}:
            counts["skipped"] += 1
        elif stock.passes:
            counts["both pass" if ours.passes else "only stock passes"] += 1
        else:
            counts["only ours passes" if ours.passes else "neither passes"] += 1
    return f"{len(sides)} tests; " + ", ".join(f"{what}: {count}" for what, count in counts.items())


def table(differing: Sides) -> str:
    """Return for each difference a line on the test, one on its failure, and one on the reason that is known."""
    rows = []
    for test, (stock, ours) in sorted(differing.items()):
        passing, failing = (STOCK, ours) if stock.passes else (OURS, stock)
        rows.append((f"only {passing}", test))
        rows.append(("", f"{failing.outcome}: {failing.reason}"))
        rows.append(("", explanation(test) or "UNEXPLAINED"))
    return "\n".join(columns(rows)) if rows else ""


if __name__ == "__main__":
    main()
