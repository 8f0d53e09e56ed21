"""Bound the memory of each task process: a task that asks for more gets a `MemoryError`.

Without the bound, the kernel ends some process when the machine has no memory left, perhaps another one.
"""

import sys

from celery_runtime.environment import ConfigurationError

MEGABYTE = 1024 * 1024


def check(megabytes: int | None) -> None:
    """Raise `ConfigurationError` where the platform has no such bound. Runs in: worker main process."""
    if megabytes and sys.platform != "linux":
        problem = "CELERY_TASK_MEMORY_LIMIT is set, and only Linux can enforce it"
        raise ConfigurationError(problem, "Unset it on this machine.")


def limit_process(megabytes: int | None) -> None:
    """Bound the data of this process, without files and shared memory. Runs in: task process."""
    if megabytes:
        import resource  # not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * MEGABYTE, hard))
