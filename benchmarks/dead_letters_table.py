"""The tables of what dead letters cost, and the goal."""

from collections.abc import Mapping, Sequence
from statistics import median

from .table import print_table, verdict

GOAL = 1.0  # seconds
LABELS = {
    "list": "list of the newest 50",
    "count": "count by kind",
    "show": "show one",
    "requeue": "requeue one",
}
CAUSES = {"RabbitMQ": "RabbitMQ can only hand out every entry, one by one"}


def show(broker: str, runs: Mapping[int, Sequence[Mapping[str, float]]], memory: float | None) -> None:
    """Print what it takes with few and with many entries. `memory` is bytes for each entry."""
    few, many = runs
    rows = [["entries", f"{few:,}", f"{many:,}", "ratio", ""]]
    for name, label in LABELS.items():
        seconds = [median(run[name] for run in runs[number]) for number in (few, many)]
        told = verdict("< 1 s", GOAL, seconds[1:])
        if seconds[1] > GOAL and broker in CAUSES:
            told += f", {CAUSES[broker]}"
        rows.append([f"{label}, s", *(f"{one:.3f}" for one in seconds), f"{seconds[1] / seconds[0]:.1f}", told])
    size = "unknown: there is no rabbitmqctl" if memory is None else f"{memory:,.0f}"
    print_table(f"Dead letters on {broker}: medians of {len(runs[many])} runs side by side", rows)
    print(f"  bytes of the broker's memory for each of the {many:,}: {size}", flush=True)


def show_adds(broker: str, alone: Sequence[float], at_once: Sequence[float]) -> None:
    """Print what it takes to keep an entry, in one process and in several at once."""
    rows = [["", "median", "slowest of 100", ""]]
    for label, seconds in (("one process", alone), ("8 processes at once", at_once)):
        slow = sorted(seconds)[-max(1, len(seconds) // 100)]
        rows.append([label, f"{median(seconds) * 1e3:.1f}", f"{slow * 1e3:.1f}", "ms"])
    ratio = median(at_once) / median(alone)
    rows.append(["ratio", f"{ratio:.1f}", "", ""])
    print_table(f"Dead letters on {broker}: to keep one", rows)
