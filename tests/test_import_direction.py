"""Nothing points up: neither in the library, nor in the package of a project that was baked."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.baking import LIBRARY, TEMPLATE

# In a project: the tasks are on top, what a user edits is at the bottom, and the library knows nothing of both.
OF_A_PROJECT = """
[importlinter]
root_packages =
    celery_runtime
    shop

[importlinter:contract:layers]
name = Nothing points up
type = layers
containers = shop
layers =
    celery_tasks | (asgi) | (wsgi) | (urls)
    celery_config
    settings
    queues | results | schedule | error_policy

[importlinter:contract:library]
name = The library knows no project
type = forbidden
source_modules = celery_runtime
forbidden_modules = shop
"""


def lint_imports(config: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", config]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_nothing_in_the_library_points_up():
    done = lint_imports(TEMPLATE / ".importlinter", LIBRARY.parent)
    assert done.returncode == 0, done.stdout
    assert "Contracts: 3 kept, 0 broken." in done.stdout


@pytest.mark.parametrize(
    ("file", "planted"),
    {
        "errors/verdict.py": "from celery_runtime.retry import policy",
        "brokers/redis.py": "from celery_runtime.retry import policy",
        "discovery/files.py": "from celery_runtime.worker import consumer",
        "health.py": "import celery",
        "retry/task.py": "import django",
    }.items(),
)
def test_an_import_upwards_is_found(tmp_path, file, planted):
    shutil.copytree(LIBRARY, tmp_path / "celery_runtime")
    with (tmp_path / "celery_runtime" / file).open("a") as source:
        source.write(f"\n\ndef planted():\n    {planted}\n")
    done = lint_imports(TEMPLATE / ".importlinter", tmp_path)
    assert done.returncode == 1, done.stdout
    assert f"celery_runtime.{file.removesuffix('.py').replace('/', '.')} -> " in done.stdout


@pytest.mark.parametrize("framework", ["django", "plain"])
def test_nothing_in_a_project_points_up(baked, framework, tmp_path):
    (tmp_path / "config.ini").write_text(OF_A_PROJECT)
    done = lint_imports(tmp_path / "config.ini", baked(framework=framework).path)
    assert done.returncode == 0, done.stdout
