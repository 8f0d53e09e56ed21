"""What the table of the project makes of real errors, seen by the service that a task calls."""

from celery_runtime.testing.http import AnsweringServer

from {{ cookiecutter.project_slug }} import app

from .tasks import fetch, lose_connection_once


def state_of(result):
    result.get(timeout=30, propagate=False)
    return result.state


def test_a_service_that_comes_back_is_asked_again_with_the_same_priority(worker):
    with AnsweringServer(503, 503, 200) as server:
        assert fetch.apply_async((server.url,), priority=7).get(timeout=30) == [3, 7]


def test_a_service_that_stays_away_is_given_up_after_as_many_runs_as_stated(worker):
    with AnsweringServer(500) as server:
        assert state_of(fetch.delay(server.url)) == "FAILURE"
    assert len(server.times) == 3


def test_what_no_retry_can_mend_runs_once(worker):
    with AnsweringServer(404) as server:
        assert state_of(fetch.delay(server.url)) == "FAILURE"
    assert len(server.times) == 1


def test_retry_after_is_waited_for_and_spends_no_attempt(worker):
    with AnsweringServer((429, {"Retry-After": "1"}), 503, 503, 200) as server:
        assert fetch.delay(server.url).get(timeout=30) == [4, 5]
    assert server.pauses()[0] >= 1


def test_a_task_may_want_no_retry(worker):
    result = lose_connection_once.delay()
    assert state_of(result) == "FAILURE"
    assert app.dead_letters.get(result.id).attempts == 1
