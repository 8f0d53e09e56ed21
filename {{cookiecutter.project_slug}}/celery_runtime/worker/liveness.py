"""Keep the file that tells the liveness probe how a worker, or beat, is. Runs in: worker main process, beat."""

import itertools
import os
import stat
from pathlib import Path
from typing import TextIO

from celery.utils.log import get_logger

from celery_runtime import health

logger = get_logger(__name__)

WIDTH = 40  # characters of a file, however long its text


class Liveness:
    """The file of one worker, or of beat, which touches it every few seconds. If it cannot keep one, it logs that."""

    def __init__(self, kind: str = "worker") -> None:
        self._file: TextIO | None = None
        try:
            self._file = _locked_file(health.folder(), kind)
        except (ImportError, OSError) as error:
            logger.warning("no probe can see this %s: %s", kind, error)
        else:
            self.tell("starting")

    def tell(self, state: str) -> None:
        """Write the state of the worker, such as "ready", into the file."""
        if self._file is not None:
            # A second descriptor keeps the lock; a file that is emptied first would be read as empty by a probe.
            with Path(self._file.name).open("r+") as file:
                file.write(f"{os.getpid()} {state}".ljust(WIDTH))

    def touch(self) -> None:
        if self._file is not None:
            os.utime(self._file.fileno())

    def end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _locked_file(folder: Path, kind: str) -> TextIO:
    """Return the first file of the folder that no other process holds."""
    import fcntl  # not on Windows

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if not is_own and health.FOLDER_VARIABLE not in os.environ:  # a volume may be another user's
        raise PermissionError(f"{folder} is a link or another user's; {health.FOLDER_VARIABLE} names another")
    for number in itertools.count():
        file = (folder / f"{kind}-{number}").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            file.close()
    return file
