"""Dead letters: what has failed for good is kept, with its arguments and its error, and can run again.

Nothing has to be done for it in a task. Use it when the cause is mended, be it data, another service or the task
itself: `celery -A … dead-letters list`, `show` and `requeue`, or `app.dead_letters`. The trap: a task that
runs again does so from its beginning, so what it did before it failed is done twice.
"""

import tempfile
from pathlib import Path

from celery_runtime import PermanentError

from ..celery_config import app


@app.task(queue="tasks")
def send_invoice(addresses: str, customer: str) -> str:
    """Send an invoice to the address that a file of the customer's name holds; return where it went."""
    file = Path(addresses, customer)
    if not file.exists():
        raise PermanentError(f"no address of {customer} is known", kind="application.no_address")
    return f"sent to {file.read_text()}"


def run_tasks() -> None:
    """Fail for want of an address, add it, and run the same task again. A worker must be running. Prints:

    given up: no address of ada is known
    stored as a dead letter: application.no_address, after 1 run
    requeued: sent to 12 St James's Square
    still a dead letter: False
    """
    with tempfile.TemporaryDirectory() as addresses:
        result = send_invoice.delay(addresses, "ada")
        print("given up:", result.get(timeout=30, propagate=False))
        [entry] = app.dead_letters.find(result.id)
        print(f"stored as a dead letter: {entry.kind}, after {entry.attempts} run")

        Path(addresses, "ada").write_text("12 St James's Square")
        app.dead_letters.requeue(result.id)
        print("requeued:", app.AsyncResult(result.id).get(timeout=30))
        print("still a dead letter:", app.dead_letters.get(result.id) is not None)
