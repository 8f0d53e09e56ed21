"""The time of a bake, as a multiple of starting Cookiecutter."""

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from scripts.baking import TEMPLATE

from . import copier_template
from .command import run, unconfigured
from .side_by_side import interleave
from .table import print_table, verdict

RUNS = 15
LIMIT = 2.5
BASE = "cookiecutter --version"
BAKE = "cookiecutter TEMPLATE --no-input"
NEW_FOLDER = "NEW_FOLDER"  # stands for another one in each run


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as scratch:
        times = interleave(_cases(Path(scratch)), RUNS)
    medians = {name: median(values) for name, values in times.items()}
    rows = [("", "ms", "ratio", "")]
    for name, value in medians.items():
        ratio = value / medians[BASE]
        remark = verdict(f"ratio <= {LIMIT}", LIMIT, [ratio]) if name == BAKE else ""
        rows.append((name, f"{value * 1000:.0f}", f"{ratio:.2f}", remark))
    print_table(f"Bake time: default answers, medians of {RUNS} interleaved runs", rows)


def _cases(scratch: Path) -> dict[str, Callable[[], float]]:
    home = scratch / "home"
    home.mkdir()
    environment = unconfigured(home)
    numbers = itertools.count()

    def seconds(module: str, *arguments: str | Path) -> float:
        folder = scratch / f"output-{next(numbers)}"
        arguments = tuple(folder if argument == NEW_FOLDER else argument for argument in arguments)
        start = time.perf_counter()
        run(sys.executable, "-m", module, *arguments, environment=environment)
        return time.perf_counter() - start

    bake = ("cookiecutter", TEMPLATE, "--no-input", "-o", NEW_FOLDER)
    seconds(*bake)
    copied = scratch / "copier-template"
    copier_template.write(copied, _answers(home))
    return {
        BASE: lambda: seconds("cookiecutter", "--version"),
        BAKE: lambda: seconds(*bake),
        "  without hooks": lambda: seconds(*bake, "--accept-hooks", "no"),
        "copier copy, the same files": lambda: seconds("copier", "copy", "--defaults", "--quiet", copied, NEW_FOLDER),
    }


def _answers(home: Path) -> dict[str, str]:
    """Return the answers of the bake that was run with this home; Cookiecutter keeps them for a replay."""
    (replay,) = (home / ".cookiecutter_replay").iterdir()
    answers = json.loads(replay.read_text())["cookiecutter"]
    return {name: answer for name, answer in answers.items() if not name.startswith("_")}
