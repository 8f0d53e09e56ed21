"""Bound the memory of each process that runs tasks: one that asks for more gets a `MemoryError`.

Without it, the kernel ends some process when the machine's memory is used up, which may be another one.
"""

import sys

from celery_runtime.environment import ConfigurationError

MEGABYTE = 1024 * 1024


def check(megabytes: int | None) -> None:
    """Raise `ConfigurationError` where the platform has no such bound. Runs in: worker main process."""
    if megabytes and sys.platform != "linux":
        raise ConfigurationError(
            "CELERY_TASK_MEMORY_LIMIT is set, and only Linux can enforce it", "Unset it on this machine."
        )


def limit_process(megabytes: int | None) -> None:
    """Bound the data of this process, without files and shared memory. Runs in: task process."""
    if megabytes:
        import resource  # not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * MEGABYTE, hard))
