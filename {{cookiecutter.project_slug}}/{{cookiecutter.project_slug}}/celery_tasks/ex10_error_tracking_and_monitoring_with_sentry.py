"""Failures in Sentry, or in any service that speaks its protocol: `uv sync --extra sentry`, and set SENTRY_DSN.

Use it to see which errors are new and which are many; what failed, and can run again, is among the dead
letters. The traps: an error after which the task runs again is not sent; a web process that imports no
task file begins by a `sentry_sdk.init` of its own; and a process that is killed sends nothing, but a dead
letter is kept.
"""

import os

from celery import signals

from celery_runtime import PermanentError, classify

from ..celery_config import app

if dsn := os.environ.get("SENTRY_DSN"):
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration

    def add_kind(event, hint):
        """Tag an event with what the error is, as the dead letters and the logs do, so that one can search for it."""
        if "exc_info" in hint:
            event.setdefault("tags", {})["kind"] = classify(hint["exc_info"][1]).kind
        return event

    # The arguments of a task are not sent as such, but they would be among its local variables.
    sentry_sdk.init(
        dsn, integrations=[CeleryIntegration()], before_send=add_kind, include_local_variables=False
    )

    @signals.worker_process_shutdown.connect
    def send_the_last(**_) -> None:
        sentry_sdk.flush(timeout=2)


@app.task(queue="tasks")
def pay(order: str, card: str) -> None:
    raise PermanentError("the card has expired", kind="application.card_expired")


def run_tasks() -> None:
    """Fail; Sentry is told where the worker has SENTRY_DSN. A worker must be running. Prints, where this process has none:

    failed: the card has expired
    SENTRY_DSN is set here: False
    """
    print("failed:", pay.delay("order 7", card="4242").get(timeout=30, propagate=False))
    print("SENTRY_DSN is set here:", bool(dsn))
