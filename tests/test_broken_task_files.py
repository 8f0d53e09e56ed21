"""A worker and `tasks check` on broken task files: file, line and remedy, and nothing is started."""

import json
import shutil

import pytest

pytestmark = pytest.mark.baked

# By file: what it holds, and the line and the remedy that are to be named.
BROKEN = {
    "ex1_syntax.py": ("x = 1\ndef broken(:\n", 2, "Correct the syntax of this line."),
    "ex2_dependency.py": ("import json\nimport no_such_package.part\n", 2, "uv add no_such_package"),
    "ex3_module.py": ("from ..nowhere import x\n", 1, "Correct the import"),
    "ex4_exception.py": ("x = 1\n\nx / 0\n", 3, "Correct this line."),
    "ex5_exit.py": ("import sys\nsys.exit(3)\n", 2, '__name__ == "__main__"'),
    "ex6_queue.py": (
        "from ..celery_config import app\n\n\n@app.task(queue='taks')\ndef lost(): ...\n",
        4,
        "Use one of tasks, or add it in queues.py.",
    ),
    "ex7_same.py": ("from ..celery_config import app\n\n\n@app.task(name='same')\ndef f(): ...\n", None, ""),
    "ex8_same.py": ("from ..celery_config import app\n\n\n@app.task(name='same')\ndef f(): ...\n", 5, "Rename one"),
    "ex9_dependency.py": ("import another_package\n", 1, "uv add another_package"),
    "ex.name.py": ("", 1, "Rename it to ex_name.py."),
}


@pytest.fixture(params=["plain", "django"])
def project(request, bake_own):
    return bake_own(framework=request.param)


def assert_refused(project, redis_url, expected: dict[tuple[str, int], str]) -> None:
    """Both name each place and its remedy, and exit with 1."""
    urls = {"CELERY_BROKER_URL": redis_url}
    checked = project.celery("tasks", "check", "--json", **urls)
    assert checked.returncode == 1, checked.stdout
    problems = json.loads(checked.stdout)
    assert {(found["file"], found["line"]) for found in problems} == set(expected)
    assert len(problems) == len(expected)
    worker = project.celery("worker", "--concurrency", "1", **urls)
    assert worker.returncode == 1, worker.stdout
    assert "Traceback" not in worker.stderr
    assert " ready." not in worker.stderr
    for found in problems:
        place = found["file"], found["line"]
        assert expected[place] in found["remedy"]
        assert f"{place[0]}:{place[1]}: {found['problem']}\n    {found['remedy']}" in worker.stderr


def test_each_fault_is_named_by_both_and_all_at_once(project, redis_url):
    for path in project.tasks.glob("ex*.py"):
        path.unlink()
    for name, (source, _, _) in BROKEN.items():
        (project.tasks / name).write_text(source)
    (project.tasks / "exdir.py").mkdir()
    folder = "shop/celery_tasks"
    expected = {(f"{folder}/{name}", line): remedy for name, (_, line, remedy) in BROKEN.items() if line}
    assert_refused(project, redis_url, {**expected, (f"{folder}/exdir.py", 1): "Rename it to exdir"})
    shutil.rmtree(project.tasks)
    assert_refused(project, redis_url, {(folder, 1): "Create it"})


def test_the_commands_refuse_another_projects_app(project):
    (project.path / "other.py").write_text("from celery import Celery\n\napp = Celery('other')\n")
    done = project.run(project.python, "-m", "celery", "-A", "other", "tasks", "list")
    assert done.returncode == 2
    assert "Error: this command needs an app of celery_runtime: name yours by -A" in done.stderr
