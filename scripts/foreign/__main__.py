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
from .suite import MODULES, PARTS, Result, Suite

STOCK, OURS = SIDES = ("stock", "shop")
Sides = dict[str, tuple[Result, Result]]  # of each test, on the stock app and on the baked one


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="foreign-") as name:
        folder = Path(name)
        suite = Suite(plain_project(folder), folder)
        suite.prepare()
        try:
            with ThreadPoolExecutor() as pool:
                compared = list(pool.map(lambda broker: run_all(suite, broker), BROKERS))
            for broker, sides in zip(BROKERS, compared, strict=True):
                sides |= run_alone(suite, broker, list(differences(sides)))
        except Unavailable as error:
            sys.exit(f"error: {error}.")
        finally:
            if keep := os.environ.get("KEEP"):
                shutil.copytree(folder / "logs", keep, dirs_exist_ok=True)
    for broker, sides in zip(BROKERS, compared, strict=True):
        print(f"\n{broker}: {summary(sides)}\n{table(differences(sides))}")
    found = [test for sides in compared for test in differences(sides)]
    if gone := KNOWN.keys() - map(plain, found):
        print(f"\nthese are known and differ no more: {', '.join(sorted(gone))}")
    unexplained = sum(plain(test) not in KNOWN for test in found)
    print(f"\n{unexplained} differences are unexplained")
    sys.exit(unexplained > 0)


def run_all(suite: Suite, broker: str) -> Sides:
    """Run all tests, their parts and both sides at once: most of the time they wait."""
    runs = [(side, number) for side in SIDES for number in range(len(PARTS))]
    found: dict[str, dict[str, Result]] = {side: {} for side in SIDES}
    with ThreadPoolExecutor(len(runs)) as pool:
        results = pool.map(lambda run: suite.run(run[0], broker, f"part-{run[1]}", *MODULES, "-k", PARTS[run[1]]), runs)
        for (side, _), result in zip(runs, results, strict=True):
            found[side] |= result
    sides = beside(*found.values())
    assert sides, "not a test was collected; KEEP=/tmp/logs shows why"
    return sides


def run_alone(suite: Suite, broker: str, tests: Sequence[str]) -> Sides:
    """Run these tests on one side after the other: what a busy machine has caused is no difference."""
    if not tests:
        return {}
    return beside(*(suite.run(side, broker, "again", *tests) for side in SIDES))


def beside(stock: dict[str, Result], ours: dict[str, Result]) -> Sides:
    return {test: (stock.get(test, Result()), ours.get(test, Result())) for test in stock | ours}


def differences(sides: Sides) -> Sides:
    return {test: both for test, both in sides.items() if both[0].passes != both[1].passes}


def plain(test: str) -> str:
    """Return the name of a test without its parameters."""
    return test.partition("[")[0]


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
        rows.append(("", KNOWN.get(plain(test), "UNEXPLAINED")))
    return "\n".join(columns(rows))


if __name__ == "__main__":
    main()
