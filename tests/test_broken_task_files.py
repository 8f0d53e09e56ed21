"""A worker and `tasks check` on broken task files: file, line and remedy, and nothing is started."""

import json
import shutil

import pytest

pytestmark = pytest.mark.baked

IN_ONE_FILE = {
    "syntax error": ("x = 1\ndef broken(:\n", 2, "Correct the syntax of this line."),
    "missing dependency": ("import json\nimport no_such_package.part\n", 2, "uv add no_such_package"),
    "missing module of the project": ("from ..nowhere import x\n", 1, "Correct the import"),
    "exception": ("x = 1\n\nx / 0\n", 3, "Correct this line."),
    "SystemExit": ("import sys\nsys.exit(3)\n", 2, '__name__ == "__main__"'),
    "unknown queue": (
        "from ..celery_config import app\n\n\n@app.task(queue='taks')\ndef lost(): ...\n",
        4,
        "Use one of tasks, or add it in queues.py.",
    ),
}
SAME_NAME = "from ..celery_config import app\n\n\n@app.task(name='same')\ndef f(): ...\n"


@pytest.fixture(params=["plain", "django"])
def project(request, bake_own):
    return bake_own(framework=request.param)


def assert_refused(project, redis_url, *expected: tuple[str, int, str]) -> None:
    """Both name each expected file, line and remedy, and exit with 1."""
    urls = {"CELERY_BROKER_URL": redis_url}
    checked = project.celery("tasks", "check", "--json", **urls)
    assert checked.returncode == 1, checked.stdout
    problems = json.loads(checked.stdout)
    assert [(found["file"], found["line"]) for found in problems] == [place[:2] for place in expected]
    worker = project.celery("worker", "--concurrency", "1", **urls)
    assert worker.returncode == 1, worker.stdout
    assert "Traceback" not in worker.stderr
    assert " ready." not in worker.stderr
    for found, (file, line, remedy) in zip(problems, expected, strict=True):
        assert remedy in found["remedy"]
        assert f"{file}:{line}: {found['problem']}\n    {found['remedy']}" in worker.stderr


def test_each_fault_is_named_by_both(project, redis_url):
    for name, (source, line, remedy) in IN_ONE_FILE.items():
        print(name)
        path = project.tasks / "ex7_broken.py"
        path.write_text(source)
        assert_refused(project, redis_url, ("shop/celery_tasks/ex7_broken.py", line, remedy))
        path.unlink()
    for file in ("ex7.py", "ex8.py"):
        (project.tasks / file).write_text(SAME_NAME)
    assert_refused(project, redis_url, ("shop/celery_tasks/ex8.py", 5, "Rename one"))
    for number, file in enumerate(("ex7.py", "ex8.py")):
        (project.tasks / file).write_text(f"import no_such_package_{number}\n")
    expected = [(f"shop/celery_tasks/ex{7 + n}.py", 1, f"uv add no_such_package_{n}") for n in range(2)]
    assert_refused(project, redis_url, *expected)
    for file in ("ex7.py", "ex8.py"):
        (project.tasks / file).unlink()

    (project.tasks / "ex.name.py").touch()
    assert_refused(project, redis_url, ("shop/celery_tasks/ex.name.py", 1, "Rename it to ex_name.py."))
    (project.tasks / "ex.name.py").unlink()
    (project.tasks / "exdir.py").mkdir()
    assert_refused(project, redis_url, ("shop/celery_tasks/exdir.py", 1, "Rename it to exdir"))
    shutil.rmtree(project.tasks)
    assert_refused(project, redis_url, ("shop/celery_tasks", 1, "Create it"))


def test_the_commands_refuse_another_projects_app(project):
    (project.path / "other.py").write_text("from celery import Celery\n\napp = Celery('other')\n")
    done = project.run(project.python, "-m", "celery", "-A", "other", "tasks", "list")
    assert done.returncode == 2
    assert "Error: this command needs an app of celery_runtime: name yours by -A" in done.stderr
