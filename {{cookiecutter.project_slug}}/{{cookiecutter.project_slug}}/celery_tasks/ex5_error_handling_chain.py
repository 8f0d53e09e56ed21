"""Steps one after another: a failed step ends the chain, and a task of yours is told which one it was.

Use a chain where each step needs the result of the one before. The traps: the steps behind a failed one are
marked as failed too, with its error, so look for the first that failed from `parent` to `parent`; and an
`on_error` that takes the error is called within the step that failed: it is no message, and has no retry and
no result of its own.
"""

from typing import Any

from celery import chain

from celery_runtime import PermanentError

from ..celery_config import app


@app.task(queue="tasks")
def read(order: str) -> list[str]:
    return order.split()


@app.task(queue="tasks")
def add_up(prices: list[str]) -> int:
    if not all(price.isdigit() for price in prices):
        raise PermanentError(f"{' '.join(prices)} are not all prices", kind="application.bad_order")
    return sum(map(int, prices))


@app.task(queue="tasks")
def bill(total: int) -> str:
    return f"a bill of {total}"


@app.task(queue="tasks")
def tell_customer(request, error, traceback, customer: str) -> None:
    """Called with the request and the error of the step that failed, then with the arguments of its signature."""
    step = request.task.rpartition(".")[2]
    # An id that follows from that of the step, so that the result is found below.
    send_mail.apply_async((f"{customer}, {step} has failed: {error}",), task_id=f"{request.id}-mail")


@app.task(queue="tasks")
def send_mail(text: str) -> str:
    return f"sent: {text}"


def run_tasks() -> None:
    """Run a chain to its end, and one that ends early. A worker must be running. Prints:

    a bill of 42
    read: SUCCESS, add_up: FAILURE, bill: FAILURE
    sent: Ada, add_up has failed: 20 tea are not all prices
    """
    steps = chain(read.s("20 22"), add_up.s(), bill.s())
    print(steps.apply_async().get(timeout=30))

    last: Any = chain(read.s("20 tea"), add_up.s(), bill.s()).on_error(tell_customer.s("Ada")).apply_async()
    last.get(timeout=30, propagate=False)
    failed = last.parent
    print(f"read: {failed.parent.state}, add_up: {failed.state}, bill: {last.state}")
    print(app.AsyncResult(f"{failed.id}-mail").get(timeout=30))
