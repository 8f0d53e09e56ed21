"""Very many small tasks: `chunks` puts many of them into one message, which is what makes it fast.

Use it where a task takes less time than its message, about a millisecond. The traps: a group of as many tasks
is no faster than a loop, because each of them is a message; what runs is a task of Celery's own,
`celery.starmap`, so the queue, the priority and the policy of yours do not hold, and an error ends its chunk;
state queue and priority at `apply_async`.
"""

from typing import Any

from celery_runtime import Priority

from ..celery_config import app


@app.task(queue="tasks")
def square(number: int) -> int:
    return number * number


def run_tasks() -> None:
    """Square a thousand numbers. A worker must be running. Prints:

    messages: 10
    squares: 1000, the last is 998001
    """
    chunks = square.chunks(zip(range(1000)), 100)
    result: Any = chunks.apply_async(queue="tasks", priority=Priority.LOW)
    print("messages:", len(result))
    squares = [number for chunk in result.get(timeout=30) for number in chunk]
    print(f"squares: {len(squares)}, the last is {squares[-1]}")
