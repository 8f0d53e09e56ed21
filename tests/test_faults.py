"""Faults caused for real, and property-based search: what a baked project makes of errors."""

import json
import subprocess
from pathlib import Path

import pytest

from scripts.baking import TEMPLATE, BakedProject, bake
from scripts.faults import command, environment, install_libraries

from .conftest import unavailable

pytestmark = pytest.mark.baked


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A project with the libraries whose errors are told apart."""
    baked = bake(tmp_path_factory.mktemp("faults"), {"project_slug": "shop", "framework": "django"})
    baked.install()
    install_libraries(baked)
    return baked


@pytest.fixture(scope="module")
def table(project: BakedProject) -> list[dict]:
    done = subprocess.run(
        command(project, "--json"),
        cwd=TEMPLATE,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("["), done.stderr
    return json.loads(done.stdout)


AREAS = {
    "http": 133,
    "smtp": 40,
    "recorded": 18,
    "postgresql": 162,
    "recorded_databases": 32,
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
