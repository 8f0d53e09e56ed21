"""A task that fetches URLs in turn and is soon tried again, and one with a rate limit, as a task file."""

FETCHING = """
    import urllib.request
    from pathlib import Path

    from PACKAGE.celery_config import app
    from celery_runtime import Retry

    OFTEN = Retry(attempts=10_000, base=0.1, cap=0.1)

    @app.task(queue="tasks", bind=True, policy={"external.unavailable": OFTEN, "network": OFTEN})
    def fetch(self, *urls):
        with Path("NOTES_FILE").open("a") as file:
            file.write("fetch\\n")
        urllib.request.urlopen(urls[self.attempt % len(urls)], timeout=5).close()

    @app.task(queue="tasks", rate_limit="10/s")
    def limited():
        with Path("NOTES_FILE").open("a") as file:
            file.write("limited\\n")
"""
