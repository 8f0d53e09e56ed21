"""The worker's side of a running task: what the task's own process cannot tell any more."""

from collections import Counter
from typing import Any

from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]
from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery import exceptions
from celery.utils.log import get_logger
from celery.worker import request, state

from .dead_letters import record
from .errors import classify
from .verdict import Verdict

logger = get_logger(__name__)

LOST = (WorkerLostError, SystemExit, KeyboardInterrupt)

# How many tasks of this worker ended without a result and without a dead letter, by the reason.
without_dead_letter: "Counter[str]" = Counter()


class Request(request.Request):
    """Records a killed process, a hard time limit and a Reject before the message is acknowledged."""

    # The stubs of Celery know another app, another task, and nothing of what is private.
    app: Any
    task: Any
    _already_cancelled: bool
    _already_revoked: bool
    _context: Any
    _success_was_stored: Any
    _recorded = False

    def on_timeout(self, soft: bool, timeout: float) -> None:
        requeued = self.task.acks_late and not self.task.acks_on_timeout
        if not soft and not state.should_terminate and not requeued:
            error = TimeLimitExceeded(timeout)
            self._record(error, classify(error))
        try:
            super().on_timeout(soft, timeout)
        except Exception:
            # Celery tells its backend and the links first, and would not end the process any more.
            logger.exception("the end of %s[%s] at its time limit could not be told", self.name, self.id)
            if not soft and not requeued:
                self.acknowledge()

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        error: Any = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        told = str(exc_info.traceback)
        if isinstance(error, exceptions.Ignore):
            count_without_dead_letter("ignored", self.name, self.id)
        elif isinstance(error, exceptions.Reject):
            self._record_rejection(error, told)
        elif self._was_lost(error):
            self._record(error, Verdict(record.LOST, origin=type(error).__name__))
        elif not return_ok and not isinstance(error, (*LOST, Terminated, exceptions.Retry)):
            # What its own process could not record; it may have done so all the same, and knows better.
            self._record(error, classify(error), told, keep_existing=True)
        if isinstance(error, MemoryError):
            # Celery would end the whole worker for it; the task's process has told it, so both live on.
            state.task_ready(self)
            self.acknowledge()
            return
        super().on_failure(exc_info, send_failed_event, return_ok)

    def _was_lost(self, error: BaseException) -> bool:
        """Whether the process of the task is gone, and the task with it."""
        if not isinstance(error, LOST):
            return False
        if self._already_cancelled or self._already_revoked or self.task.retry_on_worker_lost:
            return False
        requeued = self.task.acks_late and self.task.reject_on_worker_lost
        return not requeued and not self._success_was_stored()

    def _record_rejection(self, error: Any, told: str) -> None:
        if not error.requeue:
            self._record(*_reason_of(error), told)

    def _record(
        self, error: BaseException, verdict: Verdict, told: str | None = None, *, keep_existing: bool = False
    ) -> None:
        if self._recorded:  # Celery tells of a hard time limit twice
            return
        self._recorded = True
        context = self._context
        context.args, context.kwargs = self.args, self.kwargs
        context.recorded = True
        entry = record.of_task(self.task, context, error, verdict, told=told)
        self.app.dead_letters.keep(entry, keep_existing=keep_existing)


def _reason_of(error: Any) -> tuple[BaseException, Verdict]:
    """Return what a `Reject` is about."""
    if isinstance(error.reason, BaseException):
        return error.reason, classify(error.reason)
    return RuntimeError(error.reason), Verdict(record.REJECTED, origin="celery.exceptions.Reject")


def count_without_dead_letter(reason: str, name: str, task_id: str) -> None:
    """Log that a task has ended with nothing to replay, and how many have so far."""
    without_dead_letter[reason] += 1
    counts = ", ".join(f"{number} {why}" for why, number in sorted(without_dead_letter.items()))
    logger.info("no dead letter for %s[%s]: %s (in this worker so far: %s)", name, task_id, reason, counts)
