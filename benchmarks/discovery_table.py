"""The table of the costs of discovery, and the goals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .table import print_table, verdict

FEW, MANY = 10, 1000
WORKER_RATIO = 1.25
WORKER_EXTRA = 2  # milliseconds
APP_RATIO = 0.05


@dataclass(frozen=True)
class Cost:
    """Median seconds."""

    app: float
    imports: float
    finalize: float
    imports_and_finalize: float
    worker: float
    worker_finalize: float
    worker_without_finalize: float


def worker_ratio(cost: Cost) -> float:
    return cost.worker_without_finalize / cost.imports


def worker_extra(cost: Cost) -> float:
    return (cost.worker_without_finalize - cost.imports) * 1000


def app_ratio(cost: Cost) -> float:
    return cost.app / cost.imports


def show(costs: Mapping[int, Cost], runs: Mapping[int, int]) -> None:
    """Print the costs by number of modules."""

    def row(label: str, value: Callable[[Cost], float], form: str, remark: str) -> list[str]:
        return [label, *(format(value(cost), form) for cost in costs.values()), remark]

    def milliseconds(label: str, value: Callable[[Cost], float]) -> list[str]:
        return row(label, lambda cost: value(cost) * 1000, ",.1f", "ms")

    def ratio(label: str, value: Callable[[Cost], float], remark: str = "") -> list[str]:
        return row(label, value, ".3f", remark)

    many = [cost for modules, cost in costs.items() if modules >= MANY]
    print_table(
        "Discovery: modules of 2 tasks each, byte code compiled, medians of CPU time, each run a new process",
        [
            ["modules", *(f"{modules:,}" for modules in costs), ""],
            ["interleaved runs", *map(str, runs.values()), ""],
            milliseconds("A  bare import of the modules", lambda cost: cost.imports),
            milliseconds("F  then app.finalize(), Celery's own", lambda cost: cost.finalize),
            milliseconds("W  worker: import_default_modules()", lambda cost: cost.worker),
            milliseconds("WF   app.finalize() within W", lambda cost: cost.worker_finalize),
            milliseconds("     W without WF", lambda cost: cost.worker_without_finalize),
            milliseconds("P  import of the app, Celery's not counted", lambda cost: cost.app),
            ratio(
                "(W - WF) / A",
                worker_ratio,
                verdict(f"<= {WORKER_RATIO} from {MANY:,}", WORKER_RATIO, list(map(worker_ratio, many))),
            ),
            row(
                "(W - WF) - A, ms",
                worker_extra,
                ",.1f",
                verdict(f"<= {WORKER_EXTRA} ms at {FEW}", WORKER_EXTRA, [worker_extra(costs[FEW])]),
            ),
            ratio("W / (A + F)", lambda cost: cost.worker / cost.imports_and_finalize),
            ratio(
                "P / A",
                app_ratio,
                verdict(f"<= {APP_RATIO} from {MANY:,}", APP_RATIO, list(map(app_ratio, many))),
            ),
        ],
    )
