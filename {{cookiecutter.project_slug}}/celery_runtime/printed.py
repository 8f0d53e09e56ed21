"""Turn what tasks print into log lines: a line for a line, where Celery has one for each part of it.

Runs in: worker main process | task process | beat. Source: celery/utils/log.py (`LoggingProxy`), Celery 5.7.
"""

import io
import logging
import sys
import threading
from types import TracebackType
from typing import Any

from celery import signals
from celery.utils.log import LoggingProxy

LONGEST_LINE = 10_000  # characters


class PrintedLines(LoggingProxy):
    """Stand for `sys.stdout` and `sys.stderr`. What has no end of line yet is logged by `flush()`, and after a task.

    Libraries ask these for more than Celery's stand-in has: their encoding, a buffer for bytes, a descriptor.
    """

    encoding, errors = "utf-8", "backslashreplace"

    def __init__(self, logger: logging.Logger, loglevel: Any = None) -> None:
        super().__init__(logger, loglevel)
        self._begun = threading.local()
        signals.task_postrun.connect(self._end_line)
        sys.excepthook = self._log_uncaught

    def write(self, data: Any) -> int:
        *lines, begun = (getattr(self._begun, "text", "") + str(data)).split("\n")
        if len(begun) > LONGEST_LINE:
            lines, begun = [*lines, begun], ""
        self._begun.text = begun
        for line in lines:
            super().write(line)
        return len(data)

    @property
    def buffer(self) -> "Bytes":
        return Bytes(self)

    def fileno(self) -> int:
        """Return the descriptor of the log; what a child process writes there is no log line."""
        return sys.__stderr__.fileno()  # type: ignore[union-attr]

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        if begun := getattr(self._begun, "text", ""):
            self._begun.text = ""
            super().write(begun)

    def _end_line(self, **_: Any) -> None:
        self.flush()

    def _log_uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.logger.critical("an error ends this process", exc_info=(kind, error, trace))


class Bytes(io.RawIOBase):
    """Takes what is printed as bytes."""

    def __init__(self, lines: PrintedLines) -> None:
        super().__init__()
        self._lines = lines

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._lines.write(bytes(data).decode(self._lines.encoding, self._lines.errors))
        return len(data)
