"""A task that tells an expected error from an unexpected one.

Use it where a part of the work may fail and the rest should go on. The trap: a bare `except Exception`
hides programming errors as well; name the errors that you expect.
"""

from celery.utils.log import get_task_logger

from ..celery_config import app

logger = get_task_logger(__name__)


@app.task(queue="tasks")
def average(numbers: list[float]) -> float | None:
    """Return the mean of the numbers, None when there are none."""
    try:
        return sum(numbers) / len(numbers)
    except ZeroDivisionError:
        logger.warning("no numbers, no average")
        return None


def run_tasks() -> None:
    print("the average of 1, 2 and 6:", average.delay([1, 2, 6]).get(timeout=10))
    print("the average of nothing:", average.delay([]).get(timeout=10))
