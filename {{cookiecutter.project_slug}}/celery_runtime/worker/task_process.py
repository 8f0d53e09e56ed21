"""Prepare a task process: bound its memory, end a run that is revoked, and have results wait until they can be stored.

Runs in: task process, and in the threads of a worker that runs tasks in threads. Without the bound, the kernel ends
some process when the machine has no memory left, perhaps another one. Without the wait, a task that is done would fail
for its result; a client does not wait. Source: celery/backends/base.py (`_ensure_retryable`), Celery 5.7.
"""

import logging
import signal
import sys
from typing import Any

import celery

from celery_runtime.environment import ConfigurationError
from celery_runtime.errors.classify import classify
from celery_runtime.retry.task import Revoked
from celery_runtime.text import message_of

PATIENCE = 120, 1000  # runs of an operation, and milliseconds between two: a minute in all, as the pauses are random


def check_memory_limit(megabytes: int | None) -> None:
    """Raise `ConfigurationError` where the platform has no such limit. Runs in: worker main process."""
    if megabytes and sys.platform != "linux":
        problem = "CELERY_TASK_MEMORY_LIMIT is set, and only Linux can enforce it"
        raise ConfigurationError(problem, "Unset it on this machine.")


def limit_memory(megabytes: int | None) -> None:
    """Bound the data of this process, without files and shared memory: what asks for more gets a `MemoryError`."""
    if megabytes:
        import resource  # not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 2**20, hard))


def heed_revocation() -> None:
    """Have a signal of request.py end the run. Celery's, SIGUSR1, would pass for the soft time limit."""
    if hasattr(signal, "SIGUSR2"):
        signal.signal(signal.SIGUSR2, _end_run)


def _end_run(*_: Any) -> None:
    if celery.current_task:  # it has not ended meanwhile
        raise Revoked


def wait_for_results(backend: Any) -> None:
    """Have a result backend try again for longer, and after errors that it does not know.

    It does not know all that pass: Django's a refused connection, and that of Redis a failover.
    """
    if "exception_safe_to_retry" in vars(backend):
        return  # it waits already
    is_known = backend.exception_safe_to_retry

    def is_temporary(error: Exception) -> bool:
        root, _, detail = classify(error).kind.partition(".")
        return is_known(error) or (root in ("network", "database") and detail not in ("auth", "query"))

    backend.always_retry = True
    backend.max_retries, backend.max_sleep_between_retries_ms = PATIENCE
    backend.exception_safe_to_retry = is_temporary
    logging.getLogger("celery.backends.base").addFilter(tell_once)


def tell_once(record: logging.LogRecord) -> bool:
    """Let one line tell that a result waits, where Celery has a traceback for each time it tries."""
    if isinstance(record.args, tuple) and str(record.msg).startswith("Failed operation"):
        if record.args[1] != PATIENCE[0] - 1:
            return False
        error = record.exc_info[1] if record.exc_info else None
        record.msg = "the results are away: %s; the result of this task waits, for up to a minute"
        record.args, record.exc_info = (message_of(error) if error else "",), None
    return True
