"""What follows a task: another one when it has succeeded, and one when it has failed.

Use `link` for what any caller may add to a task from outside; where steps belong together write a chain. The
traps: a linked task gets the result as its first argument, unless its signature is immutable, `.si()`;
`link_error` follows once the task is given up, not at each retry; and a task with one argument gets the id of
the one that failed, while one with more is called otherwise, which ex5 shows.
"""

from celery_runtime import PermanentError

from ..celery_config import app


@app.task(queue="tasks")
def divide(a: float, b: float) -> float:
    if b == 0:
        raise PermanentError("nothing divides by zero", kind="application.zero")
    return a / b


@app.task(queue="tasks")
def note_result(result: float, calculation: str) -> str:
    return f"{calculation} = {result:g}"


@app.task(queue="tasks")
def count_calculation(calculation: str) -> str:
    return f"{calculation} was counted"


@app.task(queue="tasks")
def note_error(task_id: str) -> str:
    return f"no result: {app.AsyncResult(task_id).result}"


def run_tasks() -> None:
    """Divide twice, with something to follow each time. A worker must be running. Prints:

    6 / 4 = 1.5
    6 / 4 was counted
    no result: nothing divides by zero
    """
    follows = [note_result.s("6 / 4"), count_calculation.si("6 / 4"), note_error.s()]
    results = [signature.freeze() for signature in follows]  # gives each its id, by which its result is found
    *linked, linked_error = follows
    divide.apply_async((6, 4), link=linked, link_error=linked_error)
    divide.apply_async((6, 0), link=linked, link_error=linked_error)
    for result in results:
        print(result.get(timeout=30))
