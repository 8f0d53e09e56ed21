"""Turn what tasks print into log lines: a line for a line, where Celery has one for each part of it.

Runs in: worker main process | task process | beat. Source: celery/utils/log.py (`LoggingProxy`), Celery 5.7.
"""

import logging
import sys
import threading
from types import TracebackType
from typing import Any

from celery import signals
from celery.utils.log import LoggingProxy

LONGEST_LINE = 10_000  # characters


class PrintedLines(LoggingProxy):
    """Stand for `sys.stdout` and `sys.stderr`. What has no end of line yet is logged by `flush()`, and after a task."""

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

    def flush(self) -> None:
        if begun := getattr(self._begun, "text", ""):
            self._begun.text = ""
            super().write(begun)

    def _end_line(self, **_: Any) -> None:
        self.flush()

    def _log_uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.logger.critical("an error ends this process", exc_info=(kind, error, trace))
