"""Tell within milliseconds whether the workers, or the beat, of this project on this machine are alive.

    python -I -S celery_runtime/health.py          a worker runs, and its loop turns
    python -I -S celery_runtime/health.py ready    and it is connected to its broker, with its tasks
    python -I -S celery_runtime/health.py beat     beat runs, and looks at its schedule
    python -I -S celery_runtime/health.py --limit 60

It exits with 0 or 1, and says why. It is run by its path and imports only the standard library, because
an import of the project takes a second. Each of them has a file, which it locks for as long as it lives and
touches every few seconds. Runs in: a process of its own.
"""

import os
import sys
import time
import zlib
from pathlib import Path

READY, BEAT = "ready", "beat"
LIMIT = 30.0  # seconds without a touch
USAGE = "usage: health.py [ready | beat] [--limit SECONDS]"
FOLDER_VARIABLE = "CELERY_HEALTH_FOLDER"


def folder() -> Path:
    """Return the folder of the files: `CELERY_HEALTH_FOLDER`, or one for this user and this project."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    package = str(Path(__file__).resolve().parents[1])
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(f"/tmp/celery-health-{user}-{zlib.crc32(package.encode()):08x}")


def problem(kind: str, wanted: str | None, limit: float) -> str | None:
    """Return the first problem; None if some of the kind run, each in the `wanted` state (None: any), and in time."""
    import fcntl

    place, alive = folder(), 0
    for path in place.glob(f"{kind}-*"):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                continue  # its process has ended
            except BlockingIOError:
                alive += 1
            pid, _, state = file.read().strip().partition(" ")
            age = time.time() - os.fstat(file.fileno()).st_mtime
        if age > limit:
            return f"the {kind} {pid} hangs: it has given no sign for {age:.0f} s"
        if wanted and state != wanted:
            return f"the {kind} {pid} is not {wanted}: it is {state}"
    return None if alive else f"no {kind} of this project runs here, or its files are not in {place}"


def main(arguments: list[str]) -> str:
    """Return "alive" or "ready", whichever was asked about. Raise `SystemExit` with the problem."""
    kind, wanted, limit = "worker", None, LIMIT
    words = iter(arguments)
    try:
        for word in words:
            if word == READY:
                wanted = READY
            elif word == BEAT:
                kind = BEAT
            elif word == "--limit":
                limit = float(next(words))
            else:
                raise ValueError(word)
    except (ValueError, StopIteration):
        print(USAGE, file=sys.stderr)
        raise SystemExit(2) from None
    if wrong := problem(kind, wanted, limit):
        raise SystemExit(wrong)
    return wanted or "alive"


if __name__ == "__main__":
    print(main(sys.argv[1:]))
