"""The tables of what telling errors apart costs, and the goals."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from .table import print_table, verdict

GOALS = {"success": 1.10, "failure": 1.15}
BARE, OWN = "celery.Task", "app.Task"
CELERYS, PROJECTS = "Celery's logs", "project's logs"
LOGS_WITH_GOAL = (CELERYS, CELERYS)
LOGS = {
    "Celery's logs": LOGS_WITH_GOAL,
    "project's logs": (PROJECTS, PROJECTS),
    "Celery's, then project's logs": (CELERYS, PROJECTS),
}

Run = Mapping[str, Mapping[str, Sequence[float]]]  # seconds per task in each block, by outcome and case


def show_tracer(runs: Mapping[str, Sequence[Run]]) -> None:
    """Print what was measured, by framework; each run was a process of its own."""
    rows = [["", BARE, OWN, "ratio", "least", "most", ""]]
    for framework, processes in runs.items():
        for outcome, limit in GOALS.items():
            for label, (bare_logs, own_logs) in LOGS.items():
                bare = [run[outcome][f"{BARE}, {bare_logs}"] for run in processes]
                own = [run[outcome][f"{OWN}, {own_logs}"] for run in processes]
                ratios = list(map(_paired_ratio, own, bare))
                numbers = (median(ratios), min(ratios), max(ratios))
                has_goal = (bare_logs, own_logs) == LOGS_WITH_GOAL
                rows.append(
                    [
                        f"{framework}, {outcome}, {label}",
                        *(f"{median(map(median, blocks)) * 1e6:.1f}" for blocks in (bare, own)),
                        *(f"{number:.3f}" for number in numbers),
                        verdict(f"ratio <= {limit}", limit, numbers[:1]) if has_goal else "",
                    ]
                )
    print_table(
        "A task in Celery's tracer: µs of CPU, and medians of the ratios of blocks side by side; "
        "a failure is a ValueError that is given up",
        rows,
    )


def show_classify(runs: Sequence[Mapping[str, Any]]) -> None:
    """Print what was measured, by fault; each run was a process of its own."""
    rows = [["", "exceptions", "µs", "least", "most", ""]]
    for fault, measured in runs[0].items():
        microseconds = [median(run[fault]["seconds"]) * 1e6 for run in runs]
        numbers = (median(microseconds), min(microseconds), max(microseconds))
        length = str(measured["chain"])
        rows.append([fault, length, *(f"{number:.1f}" for number in numbers), measured["kind"]])
    print_table("classify(): µs of CPU, and how many exceptions hang together", rows)


def _paired_ratio(own: Iterable[float], bare: Iterable[float]) -> float:
    return median(each / other for each, other in zip(own, bare, strict=True))
