"""What has failed for good is kept with its cause, and runs again once that is mended."""

from celery import chain

from {{ cookiecutter.project_slug }} import app

from . import tasks

KINDS = {
    tasks.lose_connection: "network.unavailable",
    tasks.hang: "time_limit.hard",
    tasks.run_out_of_memory: "worker.memory",
    tasks.reject: "application.rejected",
    tasks.return_what_is_no_json: "unexpected",
}


def kept(*ids):
    return {entry.id: entry for entry in app.dead_letters.find(*ids)}


def test_every_final_failure_is_kept_once_with_its_kind(worker):
    kinds = {task.apply_async(priority=7).id: kind for task, kind in KINDS.items()}
    kinds[app.send_task("nobody.wrote_it", queue="tasks", priority=7).id] = "message.unknown_task"
    worker.wait_for(lambda: len(kept(*kinds)) == len(kinds))
    assert {id: entry.kind for id, entry in kept(*kinds).items()} == kinds
    assert {entry.priority for entry in kept(*kinds).values()} == {7}


def test_an_entry_tells_how_often_it_was_tried_and_where_it_failed(worker):
    result = tasks.lose_connection.delay()
    result.get(timeout=30, propagate=False)
    [entry] = kept(result.id).values()
    assert (entry.attempts, entry.attempts_by_kind) == (2, {"network.unavailable": 2})
    assert "ConnectionResetError: gone" in entry.traceback


def test_what_is_no_failure_is_not_kept(worker):
    result = tasks.ignore.delay()
    worker.wait_for(lambda: f"no dead letter for {tasks.ignore.name}[{result.id}]" in worker.output())
    assert kept(result.id) == {}


def test_what_is_mended_and_requeued_goes_on_as_it_was_meant_to(worker, tmp_path):
    steps = chain(tasks.ship.s(str(tmp_path), "tea"), tasks.bill.s())
    result = steps.apply_async(priority=8)
    failed = result.parent.id
    result.get(timeout=30, propagate=False)
    (tmp_path / "tea").touch()
    assert app.dead_letters.requeue(failed).ids == [failed]
    assert app.AsyncResult(result.id).get(timeout=30) == "a bill for tea on attempt 1, priority 8"
    assert kept(failed) == {}


def test_what_is_purged_is_gone(worker, tmp_path):
    failed = tasks.ship.delay(str(tmp_path), "salt")
    failed.get(timeout=30, propagate=False)
    assert app.dead_letters.purge(failed.id) == [failed.id]
    assert kept(failed.id) == {}
