"""The examples, run by a real worker. Tests of your own tasks look like these."""

import pytest

from {{ cookiecutter.project_slug }} import app


def example(name):
    return pytest.importorskip(f"{app.main}.celery_tasks.{name}", reason=f"{name}.py was deleted")


def test_an_expected_error_is_handled_in_the_task(worker):
    average = example("ex1_try_except").average
    assert average.delay([1, 2, 6]).get(timeout=10) == 3
    assert average.delay([]).get(timeout=10) is None


def test_a_lost_connection_is_retried(worker):
    succeed_on_run = example("ex3_auto_retry").succeed_on_run
    assert succeed_on_run.delay(2).get(timeout=10) == 2


def test_a_task_takes_a_note(worker, tmp_path):
    note = example("ex14_priorities").note
    note.delay(str(tmp_path / "notes"), "done")
    worker.wait_for(lambda: (tmp_path / "notes").exists())
    assert (tmp_path / "notes").read_text() == "done\n"
