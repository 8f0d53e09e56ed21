"""What Sentry is told: a small server on this machine takes its place."""

import gzip
import inspect
import json

import pytest

from celery_runtime.testing.http import AnsweringServer

from {{ cookiecutter.project_slug }} import app


def events(server):
    """Return the errors among what was sent: lines of JSON, of which most are about the sending."""
    for headers, body in zip(server.headers, list(server.bodies), strict=False):
        text = gzip.decompress(body) if headers["Content-Encoding"] == "gzip" else body
        for line in text.splitlines():
            if "exception" in (item := json.loads(line)):
                yield item


def test_it_is_told_of_what_has_failed_for_good_and_of_no_argument(project_copy, start_worker):
    module = f"{app.main}.celery_tasks.ex10_error_tracking_and_monitoring_with_sentry"
    example = pytest.importorskip(module, reason="the example was deleted")
    again = """
        from PACKAGE import app
        from celery_runtime import Retry, TransientError

        @app.task(queue="tasks", bind=True, policy={"application": Retry(attempts=2, base=0)})
        def succeed_at_last(self):
            if self.attempt == 1:
                raise TransientError("later")
    """
    project_copy.write("ex1.py", again)
    project_copy.write("ex10.py", inspect.getsource(example))
    with AnsweringServer(200) as server:
        worker = start_worker(SENTRY_DSN=f"{server.url.replace('//', '//key@')}1")
        project_copy.run("""
            from PACKAGE.celery_tasks import ex1, ex10
            ex1.succeed_at_last.delay().get(timeout=30)
            ex10.pay.delay("order 7", card="4242").get(timeout=30, propagate=False)
        """)
        worker.wait_for(lambda: list(events(server)))
    [event] = events(server)
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("PermanentError", "the card has expired")
    assert event["tags"]["kind"] == "application.card_expired"
    assert "4242" not in json.dumps(event)
