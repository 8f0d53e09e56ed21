"""A task class of your own: what a process makes once, and what follows when a task has failed for good.

Use it for a client, a table or a pool that many runs share, and to tell somebody of an error. The traps:
derive it from the `Task` of celery_config.py, or error_policy.py does not hold for its tasks; name it by
`base=`, because what is assigned to `app.Task` changes every task; an instance serves all runs of its
process, so keep in it nothing that belongs to one of them; and no `on_failure` is called where a process was
killed, but a dead letter is kept.
"""

from functools import cached_property

from celery_runtime import PermanentError

from ..celery_config import Task, app


class RatesTask(Task):
    loads = 0

    @cached_property
    def rates(self) -> dict[str, float]:
        """Loaded by the first run in each process. Here a file or a service would be read."""
        self.loads += 1
        return {"EUR": 0.92, "JPY": 150.0}

    def on_failure(self, error, task_id, args, kwargs, traceback):
        # Called after the last attempt, not after each.
        alert.apply_async((f"{task_id} failed: {error}",), task_id=f"{task_id}-alert")


@app.task(queue="tasks", base=RatesTask, bind=True)
def convert(self, dollars: float, currency: str) -> tuple[float, int]:
    """Return the amount, and how often this process has loaded the rates so far."""
    if currency not in self.rates:
        raise PermanentError(f"no rate of {currency}", kind="application.unknown_currency")
    return dollars * self.rates[currency], self.loads


@app.task(queue="tasks")
def alert(text: str) -> str:
    """Stand for a message to whoever is on call."""
    return text.partition(" ")[2]


def run_tasks() -> None:
    """Convert at rates that are loaded once, and fail for want of one. A worker must be running. Prints:

    100 dollars: 92 euros
    rates loaded by a process in ten runs: 1 time
    alert: failed: no rate of XYZ
    """
    results = [convert.delay(100, "EUR").get(timeout=30) for _ in range(10)]
    print(f"100 dollars: {results[0][0]:.0f} euros")
    print("rates loaded by a process in ten runs:", max(loads for _, loads in results), "time")
    failed = convert.delay(100, "XYZ")
    failed.get(timeout=30, propagate=False)
    print("alert:", app.AsyncResult(f"{failed.id}-alert").get(timeout=30))
