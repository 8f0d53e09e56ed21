"""Have a task that is done wait until its result can be stored, instead of failing for it.

Runs in: task process. A client does not wait.

Source: celery/backends/base.py (`_ensure_retryable`), Celery 5.7.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from celery_runtime.errors.classify import classify

# A minute in all.
ATTEMPTS = 120
LONGEST_PAUSE = 1000  # milliseconds; the pauses are random


def wait_for_results(backend: Any) -> None:
    """Change how long the result backend of this process tries again."""
    backend.always_retry = True
    backend.max_retries = ATTEMPTS
    backend.max_sleep_between_retries_ms = LONGEST_PAUSE
    backend.exception_safe_to_retry = partial(_is_temporary, backend.exception_safe_to_retry)


def _is_temporary(is_known: Callable[[Exception], bool], error: Exception) -> bool:
    """Return whether a result can be stored in a while, after this error.

    A backend does not know all of these: Django's a refused connection, and that of Redis a failover.
    """
    root, _, detail = classify(error).kind.partition(".")
    return is_known(error) or (root in ("network", "database") and detail not in ("auth", "query"))
