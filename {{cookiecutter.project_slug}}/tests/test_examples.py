"""The examples, run by a real worker. Tests of your own tasks look like these."""

import importlib
import textwrap
from pathlib import Path

import pytest

from celery_runtime.testing.http import AnsweringServer

from {{ cookiecutter.project_slug }} import app, celery_tasks

FOLDER = Path(celery_tasks.__path__[0])
DOCUMENTED = sorted(path.stem for path in FOLDER.glob("ex*.py") if ". Prints" in path.read_text())


def example(name):
    return pytest.importorskip(f"{app.main}.celery_tasks.{name}", reason=f"{name}.py was deleted")


@pytest.mark.parametrize("name", DOCUMENTED)
def test_an_example_prints_what_its_docstring_says(worker, capsys, name):
    run_tasks = importlib.import_module(f"{app.main}.celery_tasks.{name}").run_tasks
    run_tasks()
    _, _, promised = run_tasks.__doc__.partition(":\n\n")
    assert capsys.readouterr().out.strip() == textwrap.dedent(promised).strip()


def test_a_declined_card_is_an_outcome_and_no_error(worker):
    charge = example("ex1_try_except").charge
    with AnsweringServer(402, 200) as server:
        assert charge.delay(server.url, "1", 100).get(timeout=30) == "declined"
        assert charge.delay(server.url, "2", 100).get(timeout=30) == "paid"
    assert len({headers["Idempotency-Key"] for headers in server.headers}) == 2


def test_what_no_retry_can_mend_is_raised_where_the_result_is_read(worker):
    ship = example("ex3_auto_retry").ship
    with pytest.raises(Exception, match="no weight, no parcel"):
        ship.delay(None).get(timeout=30)


def test_a_failure_is_kept_with_its_kind(worker, tmp_path):
    send_invoice = example("ex6_dead_letter_queue").send_invoice
    failed = send_invoice.delay(str(tmp_path), "ada")
    failed.get(timeout=30, propagate=False)
    [entry] = app.dead_letters.find(failed.id)
    assert (entry.kind, entry.attempts) == ("application.no_address", 1)
    assert app.dead_letters.purge(failed.id) == [failed.id]


def test_a_task_without_a_result_is_waited_for_by_what_it_does(worker, tmp_path):
    note = example("ex14_priorities").note
    note.delay(str(tmp_path / "notes"), "done")
    worker.wait_for(lambda: (tmp_path / "notes").exists())
    assert (tmp_path / "notes").read_text() == "done\n"


def test_a_file_is_whole_or_not_there(worker, tmp_path):
    export = example("ex9_task_signals_graceful_shutdown_and_cleanup").export
    export.delay(str(tmp_path / "file"), [1, 0]).get(timeout=30, propagate=False)
    worker.wait_for(lambda: not list(tmp_path.iterdir()))
