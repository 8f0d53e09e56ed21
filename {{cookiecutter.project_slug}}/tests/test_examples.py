"""The examples, run by a real worker. Tests of your own tasks look like these."""

import pytest

from {{ cookiecutter.project_slug }} import app

from .answering_server import AnsweringServer


def example(name):
    return pytest.importorskip(f"{app.main}.celery_tasks.{name}", reason=f"{name}.py was deleted")


def test_a_declined_card_is_an_outcome_and_no_error(worker):
    charge = example("ex1_try_except").charge
    with AnsweringServer(402, 503, 200) as server:
        assert charge.delay(server.url, "1", 100).get(timeout=10) == "declined"
        assert charge.delay(server.url, "2", 100).get(timeout=10) == "paid"
    assert len({headers["Idempotency-Key"] for headers in server.headers}) == 2  # in three requests


def test_a_lost_connection_is_retried(worker):
    succeed_on_run = example("ex3_auto_retry").succeed_on_run
    assert succeed_on_run.delay(2).get(timeout=10) == 2


def test_a_task_says_itself_what_passes_and_what_does_not(worker):
    ship = example("ex3_auto_retry").ship
    assert ship.delay(500).get(timeout=10) == "shipped 500 g on run 2"
    with pytest.raises(Exception, match="no weight, no parcel"):
        ship.delay(None).get(timeout=10)


def test_a_task_takes_a_note(worker, tmp_path):
    note = example("ex14_priorities").note
    note.delay(str(tmp_path / "notes"), "done")
    worker.wait_for(lambda: (tmp_path / "notes").exists())
    assert (tmp_path / "notes").read_text() == "done\n"


def test_what_was_given_up_runs_again_once_its_cause_is_mended(worker, tmp_path):
    send_invoice = example("ex6_dead_letter_queue").send_invoice
    failed = send_invoice.delay(str(tmp_path), "ada")
    assert "no address of ada" in str(failed.get(timeout=10, propagate=False))
    [entry] = app.dead_letters.find(failed.id)
    assert (entry.kind, entry.attempts) == ("application.no_address", 1)
    (tmp_path / "ada").write_text("London")
    assert app.dead_letters.requeue(failed.id).ids == [failed.id]
    assert app.AsyncResult(failed.id).get(timeout=10) == "sent to London"
    assert app.dead_letters.find(failed.id) == []
