"""A task that `tasks new` wrote: its test passes as it is, and the linters of the project have nothing to say."""

import pytest

pytestmark = pytest.mark.baked


@pytest.mark.parametrize("framework", ["django", "plain"])
def test_what_is_written_is_run_by_a_worker_and_passes_the_linters(bake_own, framework):
    project = bake_own(framework=framework)
    for path in project.tasks.glob("ex*.py"):
        path.unlink()
    tests, tasks = [], []
    for place in ("", "billing/"):
        project.celery("tasks", "new", f"{place}refund", check=True)
        tests.append(f"tests/test_{place.replace('/', '_')}refund.py")
        tasks.append(f"{project.slug}/celery_tasks/{place}ex1_refund.py")

    def run(*command: str) -> str:
        return project.run(project.python, "-m", *command, check=True).stdout

    assert "2 passed" in run("pytest", "-p", "no:cacheprovider", *tests)
    run("ruff", "check", "--no-cache", *tests, *tasks)
    run("ruff", "format", "--no-cache", "--check", *tests, *tasks)
    run("mypy", "--cache-dir", "/dev/null", *tasks)
