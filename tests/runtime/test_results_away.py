"""A result whose place is away waits for it, and one line tells so."""

import time

import pytest

from .crash_tasks import prepare, publish, release, take_long


@pytest.mark.parametrize("broker_url", ["embedded"], indirect=True)
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_result_waits_for_redis_and_one_line_tells(copy, broker_url, server, start, pool):
    project = prepare(copy, broker_url)
    take_long(project)
    project.environment["CELERY_RESULT_BACKEND"] = server.url
    worker = start("--pool", pool)
    publish(project, "held.apply_async(task_id='one')")
    worker.wait_for(lambda: "begins" in project.notes())
    server.kill()
    release(project)
    worker.wait_for(lambda: "the results are away" in worker.output())
    time.sleep(5)  # in which the process tries again several times
    server.start()
    worker.wait_for(lambda: "succeeded in" in worker.output())
    assert worker.output().count("results are away") == 1
    assert "Traceback" not in worker.output()
    assert "dead letter" not in worker.output()
    assert project.run("from PACKAGE import app; print(app.AsyncResult('one').get(timeout=9))") == "None\n"
