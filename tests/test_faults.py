"""Faults caused for real, and property-based search: what a baked project makes of errors."""

import fcntl
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.baking import TEMPLATE, BakedProject
from scripts.faults import command, environment

from .availability import unavailable

pytestmark = pytest.mark.baked


@pytest.fixture(scope="module")
def project(baked: Callable[..., BakedProject]) -> BakedProject:
    return baked(libraries=True, framework="django")


@pytest.fixture(scope="module")
def table(project: BakedProject, shared_folder: Path) -> list[dict]:
    """What became of all faults, which are caused once a run, in whichever process comes first."""
    caused = shared_folder / "faults.json"
    with (shared_folder / "faults.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not caused.exists():
            done = subprocess.run(
                command(project, "--json"),
                cwd=TEMPLATE,
                env=environment(project),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.stdout.startswith("["), done.stderr
            caused.write_text(done.stdout)
    return json.loads(caused.read_text())


AREAS = {
    "http": 133,
    "smtp": 40,
    "recorded": 18,
    "postgresql": 162,
    "recorded_databases": 53,
    "mariadb": 52,
    "sqlite": 24,
    "redis_server": 36,
    "brokers": 26,
}


@pytest.mark.parametrize("area", AREAS)
def test_every_fault_is_what_it_is_expected_to_be(table, area):
    rows = [row for row in table if row["area"] == area]
    if rows[0]["missing"]:
        unavailable(rows[0]["missing"])
    assert len(rows) >= AREAS[area]
    assert [row for row in rows if not row["right"]] == []


def test_classify_answers_whatever_is_thrown_at_it(project):
    properties = Path(__file__).parent / "properties"
    done = project.run(
        *(project.python, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"),
        *("--rootdir", properties, "-c", "/dev/null", properties / "classify_properties.py"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
