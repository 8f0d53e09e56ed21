"""The worker's side of a running task: what the task's own process cannot tell any more."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from billiard.einfo import ExceptionInfo, ExceptionWithTraceback
from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery import exceptions
from celery.utils.log import get_logger
from celery.worker import request, state
from kombu.exceptions import OperationalError

from celery_runtime import kinds
from celery_runtime.dead_letters import build
from celery_runtime.errors.classify import classify
from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.history import FailureRecord
from celery_runtime.retry.policy import Fail, Retry
from celery_runtime.worker.pool_fixes import end_soon

logger = get_logger(__name__)

LOST = (WorkerLostError, SystemExit, KeyboardInterrupt)
NOT_FINAL = (*LOST, Terminated, exceptions.Retry)
# Where the row "" of a policy says Wait: one of its own for `worker` cannot.
MOST_LOST_RUNS = Retry.attempts

# How many tasks of this worker ended without a result and without a dead letter, by the reason.
without_dead_letter: "Counter[str]" = Counter()


class Request(request.Request):
    """Runs a task whose process was killed again; records what is final before the message is acknowledged.

    Attributes:
        worker_stops: whether the worker was told to stop.
        outlived_connection: whether the worker lost its broker meanwhile, and has it back.
        on_end: called once, however the run ends; `in_a_hurry` where the worker stops, or has lost its broker.
    """

    # The stubs of Celery know another app, another task, and nothing of what is private.
    app: Any
    task: Any
    acknowledged: bool
    delivery_info: Any
    store_errors: Any
    _already_cancelled: bool
    _already_revoked: bool
    _apply_result: Any
    _context: Any
    message: Any
    _success: Any = None
    worker_stops = False
    outlived_connection = False
    on_end: Callable[..., None] | None = None
    _recorded = False
    _given_up = False
    _lost_runs = 0

    @property
    def may_have_begun(self) -> bool:
        """Whether an earlier run may have taken its worker with it."""
        return self.task.acks_late and (self.delivery_info["redelivered"] or self._was_delayed)

    @property
    def _was_delayed(self) -> bool:
        return getattr(self.message, "was_delayed", False)

    def count_lost_runs(self, noted: int) -> None:
        """Take note of how many runs took their worker with them, as far as that was noted."""
        # The first run of a message that had not to wait is not noted.
        self._lost_runs = noted if self._was_delayed else noted + 1

    def was_lost_too_often(self) -> bool:
        policy = self.app.policy
        own = getattr(self.task, "policy", None)  # its base may not be the project's
        row = policy.rule(kinds.LOST, own)
        most = row.action.attempts if isinstance(row.action, Retry) else MOST_LOST_RUNS
        lost = self._failures().count(lambda kind: policy.rule(kind, own) == row)
        return isinstance(row.action, Fail) or lost >= most

    def give_up_as_lost(self) -> None:
        """End the task, which took its worker with it too often."""
        self._end_as_lost(f"its worker was lost in {self._lost_runs} runs")

    def _end_as_lost(self, how: str) -> None:
        self._given_up = True
        try:
            raise WorkerLostError(how)
        except WorkerLostError:
            lost = ExceptionInfo()
        try:
            self.on_failure(lost)
        except Exception:  # the dead letter comes first; most likely the result could not be stored
            logger.exception("the end of %s[%s] could not be told", self.name, self.id)
            self.acknowledge()

    def _success_was_stored(self) -> Any:
        if self._success is None:  # Celery asks a second time; each waits for the results' server
            self._success = super()._success_was_stored()
        return self._success

    def acknowledge(self) -> None:
        super().acknowledge()
        self._end()

    def reject(self, requeue: bool = False) -> None:
        super().reject(requeue)
        self._end()

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        has_message = self.task.acks_late or not self.acknowledged
        self._already_cancelled = True  # Celery says so only of one that its process has accepted
        try:
            super().cancel(pool, signal, emit_retry and has_message)
        except NotImplementedError:  # a pool whose tasks cannot be ended from outside
            self._already_cancelled = False
        else:
            if job := self._apply_result and self._apply_result():
                end_soon(pool._pool, job)
            if not has_message:  # no broker will hand it out again
                self._lost_runs += 1
                self._end_as_lost("its worker was stopped while it ran")
        finally:
            self._end(in_a_hurry=True)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        if self._already_cancelled:
            return  # it did not heed that; another process runs the task
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
        if self._was_interrupted(error):
            state.task_ready(self)
            self._end(in_a_hurry=True)
            return  # unacknowledged: the broker takes the message back
        if isinstance(error, exceptions.Ignore):
            count_without_dead_letter("ignored", self.name, self.id)
        elif isinstance(error, exceptions.Reject):
            self._record_rejection(error, told)
        elif self._was_lost(error):
            failures = self._failures() if self._given_up else self._failures(1)
            verdict = Verdict(kinds.LOST, origin=type(error).__name__)
            if self._runs_again(error, verdict, failures, told):
                return
            self._record(error, verdict, failures=failures)
        elif (not return_ok or self.outlived_connection) and not isinstance(error, NOT_FINAL):
            # What its own process could not record; it may have done so all the same, and knows better.
            self._record(error, classify(error), told, keep_existing=True)
        if isinstance(error, MemoryError):
            # Celery would end the whole worker for it; the task's process has told it, so both live on.
            state.task_ready(self)
            self.acknowledge()
            return
        super().on_failure(exc_info, send_failed_event, return_ok)

    def _was_interrupted(self, error: BaseException) -> bool:
        """Whether the run was ended because this worker stops, or has lost its broker; another will run the task."""
        if self._given_up and isinstance(error, WorkerLostError):
            return False
        if self._already_cancelled and isinstance(error, TimeLimitExceeded):
            return True  # it did not heed the signal
        if not isinstance(error, (Terminated, *LOST)) or self._already_revoked:
            return False
        # A signal to the whole process group reaches the processes of tasks as well.
        stops = self.worker_stops or state.should_terminate or state.should_stop is not None
        return self._already_cancelled or bool(self.task.acks_late and stops)

    def _was_lost(self, error: BaseException) -> bool:
        """Whether the process of the task is gone, and with it the run."""
        if not isinstance(error, LOST) or self._already_revoked:
            return False
        if self.task.retry_on_worker_lost and not self.task.acks_late:
            return False  # Celery runs it again
        return not self._success_was_stored()

    def _runs_again(self, error: BaseException, verdict: Verdict, failures: FailureRecord, told: str) -> bool:
        """Publish the next run of a task whose process was killed, where the policy wants one."""
        task, context = self.task, self._context
        if self._given_up or not task.acks_late or not hasattr(task, "next_run"):
            return False
        context.args, context.kwargs = self.args, self.kwargs
        delay = task.delay_of_next_run(context, verdict, failures, time.time())
        if delay is None:
            return False
        state.task_ready(self)
        try:
            task.next_run(context, delay, failures).apply_async()
        except (OperationalError, OSError) as problem:
            logger.error("the broker did not take the next run of %s[%s]: %s", self.name, self.id, problem)
            self.reject(requeue=True)
            return True
        self.acknowledge()
        logger.warning("%s[%s] runs again in %g s: %s", self.name, self.id, delay, error)
        try:
            if self.store_errors:
                task.backend.mark_as_retry(self.id, error, told, request=context)
        except Exception as problem:  # noqa: BLE001 - whatever a backend that is away raises; the next run is published
            logger.error("that %s[%s] runs again was not stored: %s", self.name, self.id, problem)
        self.send_event("task-retried", exception=repr(error), traceback=told)
        return True

    def _failures(self, more: int = 0) -> FailureRecord:
        """Return the record of the message, with the lost runs that it does not know of, and so many more."""
        failures = FailureRecord.read(self._context.headers)
        for _ in range(self._lost_runs + more):
            failures.add(kinds.LOST, time.time())
        return failures

    def _record_rejection(self, error: Any, told: str) -> None:
        if not error.requeue:
            self._record(*_reason_of(error), told)

    def _record(
        self,
        error: BaseException,
        verdict: Verdict,
        told: str | None = None,
        failures: FailureRecord | None = None,
        *,
        keep_existing: bool = False,
    ) -> None:
        if self._recorded:  # Celery tells of a hard time limit twice
            return
        self._recorded = True
        context = self._context
        context.args, context.kwargs = self.args, self.kwargs
        context.recorded = True
        entry = build.of_task(self.task, context, error, verdict, failures, told)
        self.app.dead_letters.add(entry, keep_existing=keep_existing)

    def _end(self, *, in_a_hurry: bool = False) -> None:
        end, self.on_end = self.on_end, None
        if end is not None:
            end(in_a_hurry=in_a_hurry)


def _reason_of(error: Any) -> tuple[BaseException, Verdict]:
    """Return what a `Reject` is about."""
    if isinstance(error.reason, BaseException):
        return error.reason, classify(error.reason)
    return RuntimeError(error.reason), Verdict(kinds.REJECTED, origin="celery.exceptions.Reject")


def count_without_dead_letter(reason: str, name: str, task_id: str) -> None:
    """Log that a task has ended with nothing to replay, and how many have so far."""
    without_dead_letter[reason] += 1
    counts = ", ".join(f"{number} {why}" for why, number in sorted(without_dead_letter.items()))
    logger.info("no dead letter for %s[%s]: %s (in this worker so far: %s)", name, task_id, reason, counts)
