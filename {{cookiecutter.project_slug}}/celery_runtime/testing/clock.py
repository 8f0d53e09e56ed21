"""Measure how long a thread waits, in a way that holds on a busy machine.

Runs in: the tests, and the processes that they start.
"""

import time
from pathlib import Path

SCHEDULING = Path("/proc/thread-self/schedstat")  # only Linux has it


def waited() -> float:
    """Return the seconds for which this thread has waited for something else than a processor, from some moment on."""
    now = time.monotonic()
    if not SCHEDULING.exists():
        return now - time.thread_time()
    ran, queued, _ = map(int, SCHEDULING.read_text().split())
    return now - (ran + queued) / 1e9
