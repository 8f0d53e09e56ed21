"""Keep the file from which the liveness probe, `health.py`, reads that a worker's loop turns, and its state.

Runs in: worker main process.
"""

import itertools
import os
import stat
from pathlib import Path
from typing import Any, TextIO

from celery.utils.log import get_logger

from celery_runtime import health

logger = get_logger(__name__)


class Liveness:
    """The file of one worker. A worker that cannot keep one logs that, and runs without.

    Args:
        timer: the timer of the worker's loop.
        interval: seconds between two touches; the limit of the probe must be well above it.
    """

    def __init__(self, timer: Any, interval: float) -> None:
        self._file: TextIO | None = None
        try:
            self._file = _locked_file(health.folder())
        except (ImportError, OSError) as error:
            logger.warning("no probe can see this worker: %s", error)
        else:
            self.tell("starting")
            timer.call_repeatedly(interval, self.touch)

    def tell(self, state: str) -> None:
        """Write the state of the worker, such as "ready", into the file."""
        if self._file is not None:
            Path(self._file.name).write_text(f"{os.getpid()} {state}")  # which keeps the lock

    def touch(self) -> None:
        if self._file is not None:
            os.utime(self._file.fileno())

    def end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _locked_file(folder: Path) -> TextIO:
    """Return the first file of the folder that no other worker holds."""
    import fcntl  # not on Windows

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    is_named = health.FOLDER_VARIABLE in os.environ  # a volume may be another user's
    if not is_named and (not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid()):
        raise PermissionError(f"{folder} is a link or another user's; {health.FOLDER_VARIABLE} names another")
    for number in itertools.count():
        file = (folder / f"worker-{number}").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            file.close()
    return file
