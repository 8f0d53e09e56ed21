"""A task that kills its process is stopped; one that is killed without guilt runs again."""

import pytest

from celery_runtime.testing import ISOLATION
from celery_runtime.testing.worker import WorkerProcess
from shop import app

from .lending import BROKERS, lent_broker, use_broker
from .tasks import be_killed_once, kill_own_process


@pytest.fixture(scope="module", params=BROKERS)
def worker(request, tmp_path_factory):
    isolation = request.config.stash[ISOLATION]
    log = tmp_path_factory.mktemp("guards") / "worker.log"
    with lent_broker(request.param) as url, pytest.MonkeyPatch.context() as patch:
        use_broker(url, patch)
        environment = {**isolation.worker_environment(), "CELERY_BROKER_URL": url}
        options = ("--include", "tests.runtime.tasks")
        with WorkerProcess(app.main, log, *options, environment=environment) as process:
            yield process


def test_what_kills_its_process_runs_as_often_as_stated_and_is_kept(worker, tmp_path):
    result = kill_own_process.delay(str(tmp_path / "notes"))
    worker.wait_for(lambda: app.dead_letters.get(result.id))
    entry = app.dead_letters.get(result.id)
    assert (entry.kind, entry.attempts) == ("worker.lost", 3)
    assert (tmp_path / "notes").read_text() == "run\n" * 3


def test_what_was_killed_runs_again(worker, tmp_path):
    assert be_killed_once.delay(str(tmp_path / "notes")).get(timeout=30) == "done"
