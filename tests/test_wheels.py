"""A project that is installed, and not run from its folder: by pip, from a wheel, and beside another project."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from celery_runtime.testing.worker import WorkerProcess
from scripts.baking import BakedProject, bake, clean_environment

from .workers import running_worker

pytestmark = pytest.mark.baked


class Installed(BakedProject):
    """A project in the site-packages of an environment; its folder holds nothing but that."""

    @property
    def site_packages(self) -> Path:
        [found] = (self.path / ".venv/lib").glob("python*/site-packages")
        return found


def pip(environment: Path, *arguments: str | Path) -> None:
    command = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--no-cache-dir", *arguments]
    subprocess.run(command, check=True, env=clean_environment(), capture_output=True)


def plain_environment(folder: Path) -> Path:
    """Make an environment as Python does by itself: no uv is needed to install a project."""
    environment = folder / ".venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    return environment


def assert_it_works(project: Installed, redis_url: str, log: Path) -> None:
    urls = {
        "CELERY_BROKER_URL": redis_url,
        "CELERY_HEALTH_FOLDER": str(log.parent / "health"),
        "APP_ENV": "production",
    }
    refused = project.celery("tasks", "list", cwd=log.parent, **{**urls, "APP_ENV": ""})
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: APP_ENV is not set, and the development group is not installed.")
    assert f" in the environment or in {project.site_packages}/.env; " in refused.stderr
    listed = project.celery("tasks", "list", cwd=log.parent, check=True, **urls).stdout
    assert f"{project.slug}.celery_tasks.ex14_priorities.note" in listed
    with running_worker(project, log, **urls) as worker:
        assert "warning:" not in worker.output()
        probe = (project.python, "-I", "-S", project.site_packages / "celery_runtime/health.py", "ready")
        worker.wait_for(lambda: project.run(*probe, **urls).stdout == "ready\n")
        task = f"{project.slug}.celery_tasks.ex2_custom_task_class.alert"
        project.celery("call", task, "--args", '["x failed"]', cwd=log.parent, check=True, **urls)
        worker.wait_for(lambda: " succeeded in " in worker.output())


def test_pip_installs_it_and_a_wheel_works_elsewhere(tmp_path, redis_url):
    source = bake(tmp_path / "source", {"project_slug": "shop", "framework": "plain"})
    environment = plain_environment(tmp_path)
    pip(environment, source.path)
    assert_it_works(Installed(tmp_path, "shop"), redis_url, tmp_path / "log")
    source.run("uv", "build", "--quiet", "--wheel", check=True)
    [wheel] = (source.path / "dist").glob("*.whl")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = plain_environment(elsewhere)
    pip(other, wheel)
    shutil.rmtree(source.path)
    assert_it_works(Installed(elsewhere, "shop"), redis_url, elsewhere / "log")
    second = bake(tmp_path / "second", {"project_slug": "crm", "framework": "plain"})
    pip(other, second.path)
    urls = {"CELERY_BROKER_URL": redis_url, "APP_ENV": "production"}
    for slug in ("shop", "crm"):
        checked = Installed(elsewhere, slug).celery("tasks", "check", cwd=elsewhere, **urls)
        assert checked.returncode == 0
        line = "warning: celery_runtime:1: crm and shop have each installed one here, and the last one counts\n"
        assert line in checked.stdout
        for words in (("queues",), ("dead-letters", "list")):
            Installed(elsewhere, slug).celery(*words, cwd=elsewhere, check=True, **urls)
    (elsewhere / "other.py").write_text(f"import celery\napp = celery.Celery('other', broker={redis_url!r})\n")
    environment = clean_environment() | {"PYTHONPATH": str(elsewhere)}
    with WorkerProcess("other", elsewhere / "log", python=other / "bin/python", environment=environment) as worker:
        assert "INFO/MainProcess] log@" in worker.output()  # Celery's own format
        assert "celery_runtime" not in worker.output()


def test_a_library_that_is_not_the_one_beside_the_package_is_told(baked, tmp_path, redis_url):
    project = baked(installed=True, framework="plain", broker="redis", result_backend="redis")
    other = tmp_path / "other"
    shutil.copytree(project.path / "celery_runtime", other / "celery_runtime")
    environment = {"PYTHONPATH": str(other), "CELERY_BROKER_URL": redis_url}
    checked = project.celery("tasks", "check", cwd="/", **environment)
    problem = f"warning: celery_runtime:1: Python imports {other / 'celery_runtime'}, and not this one\n"
    assert problem in checked.stdout
    assert checked.returncode == 0
    with running_worker(project, tmp_path / "log", **environment) as worker:
        assert problem in worker.output()


@pytest.mark.parametrize("module", ["celery", "kombu"])
def test_a_celery_or_kombu_of_another_version_is_told(baked, tmp_path, redis_url, module):
    project = baked(installed=True, framework="plain", broker="redis", result_backend="redis")
    (tmp_path / "sitecustomize.py").write_text(f"import {module}\n{module}.__version__ = '5.8.1'\n")
    environment = {"PYTHONPATH": str(tmp_path), "CELERY_BROKER_URL": redis_url}
    checked = project.celery("tasks", "check", cwd="/", **environment)
    assert f"warning: celery_runtime:1: it was tested with {module} 5.7, and this is 5.8.1\n" in checked.stdout
    assert checked.returncode == 0
