"""A task that is run again when its error is likely to pass, as often as the table says, or the task itself.

Use `TransientError` for what only you know to be passing, and `PermanentError` for what is not; a lost
connection or an overloaded service is known already, so Celery's `autoretry_for` is seldom needed. The trap:
a task runs again from its beginning, so what it has done before must do no harm the second time.
"""

from celery_runtime import PermanentError, Retry, TransientError

from ..celery_config import app


@app.task(queue="tasks", bind=True, policy={"network.unavailable": Retry(attempts=5, base=0.2, cap=5)})
def succeed_on_run(self, run: int) -> int:
    """Fail as a lost connection would until the given run, counted from 1, and return its number."""
    if self.attempt < run:
        raise ConnectionResetError(f"run {self.attempt} lost its connection")
    return int(self.attempt)


@app.task(queue="tasks", bind=True)
def ship(self, weight: int | None) -> str:
    """Wait for the scales, which take two runs, but not for a parcel that has no weight."""
    if weight is None:
        raise PermanentError("no weight, no parcel", kind="application.incomplete_order")
    if self.attempt == 1:
        raise TransientError("the scales are warming up", kind="application.scales", retry_after=1)
    return f"shipped {weight} g on run {self.attempt}"


def run_tasks() -> None:
    """Lose a connection twice, wait for the scales, and give up. A worker must be running. Prints:

    succeeded on run 3
    shipped 500 g on run 2
    given up at once: no weight, no parcel
    """
    lost, heavy, unweighed = succeed_on_run.delay(3), ship.delay(500), ship.delay(None)
    print("succeeded on run", lost.get(timeout=30))
    print(heavy.get(timeout=30))
    print("given up at once:", unweighed.get(timeout=30, propagate=False))
