"""What kills its process is stopped; what is killed without guilt runs again."""

from {{ cookiecutter.project_slug }} import app

from .tasks import be_killed_once, kill_own_process


def test_what_kills_its_process_runs_as_often_as_stated_and_is_kept(worker, tmp_path):
    result = kill_own_process.delay(str(tmp_path / "notes"))
    worker.wait_for(lambda: app.dead_letters.get(result.id))
    entry = app.dead_letters.get(result.id)
    assert (entry.kind, entry.attempts) == ("worker.lost", 3)
    assert (tmp_path / "notes").read_text() == "run\n" * 3


def test_what_was_killed_runs_again(worker, tmp_path):
    assert be_killed_once.delay(str(tmp_path / "notes")).get(timeout=10) == "done"
