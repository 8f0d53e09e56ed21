"""Beat: the probe sees it, also while it waits for its broker, and it tells in a line that it cannot write."""

import json
import os
import signal
import time

import pytest
from celery.beat import Scheduler
from celery.schedules import schedule

from celery_runtime.testing.worker import WorkerProcess
from celery_runtime.worker.beat import Service

from .lending import app
from .test_health import probe, use_own_folder

OFTEN = "SCHEDULE = {'often': {'task': 'PACKAGE.celery_tasks.ex1_note.note', 'schedule': 0.5, 'args': ['tick']}}\n"


@pytest.fixture
def beat(copy, tmp_path):
    copy.write_note_task()
    copy.configure(beat_max_loop_interval=0.3)
    use_own_folder(copy)
    options = ("--schedule", str(tmp_path / "schedule"))
    return WorkerProcess(copy.package, tmp_path / "log", *options, command="beat", environment=copy.environment)


def test_the_probe_sees_beat_and_that_it_hangs(copy, beat):
    status, said = probe(copy, "beat")
    assert (status, said.startswith("no beat of this project runs here")) == (1, True)
    with beat:
        beat.wait_for(lambda: probe(copy, "beat") == (0, "alive"))
        time.sleep(2)
        assert probe(copy, "beat", "--limit", "1") == (0, "alive")
        assert probe(copy)[0] == 1  # no worker runs
        os.kill(beat.process.pid, signal.SIGSTOP)
        time.sleep(1.5)
        status, said = probe(copy, "beat", "--limit", "1")
        assert (status, said.startswith(f"the beat {beat.process.pid} hangs")) == (1, True)
    assert probe(copy, "beat")[0] == 1


def test_a_beat_that_waits_for_its_broker_is_alive(copy, beat, server):
    (copy.root / copy.package / "schedule.py").write_text(OFTEN.replace("PACKAGE", copy.package))
    beat.environment["CELERY_BROKER_URL"] = server.url
    server.kill()
    with beat:
        beat.wait_for(lambda: "Connection error" in beat.output())
        time.sleep(4)
        assert probe(copy, "beat", "--limit", "2") == (0, "alive")
        server.start()
        beat.wait_for(lambda: "Sending due task" in beat.output())
        beat.wait_for(lambda: server.client().dbsize() > 0)


@pytest.mark.parametrize("place", ["/nowhere/schedule", "/proc/schedule"])
def test_a_schedule_that_cannot_be_written_is_one_line(copy, place):
    copy.write_note_task()
    done = copy.celery("beat", "--schedule", place)
    assert done.returncode == 1
    told = f"beat cannot write {place}: No such file or directory; name another file by --schedule"
    assert json.loads(done.stderr.splitlines()[-1])["event"] == told
    assert "Traceback" not in done.stderr


class FullDisk(Scheduler):
    def sync(self):
        raise OSError(28, "No space left on device")


def test_a_full_disk_does_not_end_beat(caplog, tmp_path, monkeypatch):
    monkeypatch.setenv("CELERY_HEALTH_FOLDER", str(tmp_path))
    scheduler = Service(app(), schedule_filename="schedule", scheduler_cls=FullDisk).scheduler
    scheduler.sync()
    assert "the schedule was not written to schedule: [Errno 28] No space left on device" in caplog.text


def test_an_entry_that_cannot_be_published_is_a_line_at_each_tick(caplog, tmp_path, monkeypatch):
    monkeypatch.setenv("CELERY_HEALTH_FOLDER", str(tmp_path))
    scheduler = Service(app(), schedule_filename="schedule", scheduler_cls=Scheduler).scheduler
    wrong = {"queue": "nowhere"}, {"priority": 200}
    for number, options in enumerate(wrong):
        entry = scheduler.Entry(f"entry {number}", "a.task", schedule=schedule(1), options=options, app=app())
        assert scheduler.apply_async(entry, advance=False) is None
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told == [
        """Couldn't apply scheduled task entry 0: "Queue 'nowhere' missing from task_queues\"""",
        "Couldn't apply scheduled task entry 1: priority of a.task must be a whole number from 0 to 9, not 200",
    ]
    assert not any(record.exc_info for record in caplog.records)
