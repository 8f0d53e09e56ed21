"""Handle ends of a run that its process cannot report: killed, timed out, cancelled. Runs in: worker main process."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from billiard.einfo import ExceptionInfo, ExceptionWithTraceback
from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery import exceptions, platforms, signals
from celery.utils.log import get_logger
from celery.worker import request, state
from kombu.exceptions import OperationalError

from celery_runtime import kinds
from celery_runtime.dead_letters import build
from celery_runtime.errors.classify import classify
from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.history import AttemptHistory
from celery_runtime.retry.next_run import delay_of_next_run, next_run, rules_of
from celery_runtime.retry.policy import most_runs
from celery_runtime.retry.task import Task
from celery_runtime.worker.pool_fixes import end_soon

logger = get_logger(__name__)

# The first is Celery's for a soft time limit, the second is heeded by task_process.py. Windows has neither.
SOFT_SIGNAL, REVOKING_SIGNAL = getattr(signal, "SIGUSR1", None), getattr(signal, "SIGUSR2", 0)
WITHOUT_PROCESS = (Terminated, WorkerLostError, SystemExit, KeyboardInterrupt)
# How many tasks of this worker ended without a result and without a dead letter, by the reason.
without_dead_letter: "Counter[str]" = Counter()


class Request(request.Request):
    """Runs a task again whose process was killed; stores a dead letter before the message is acknowledged."""

    worker_stops: ClassVar[bool] = False  # the worker was told to stop, for all of its requests
    outlived_connection = False  # the worker lost its broker during the run, and has it back
    on_end: Callable[["Request"], None] | None = None  # called once, however the run ends
    _crashed_runs = 0  # those that are missing from its attempt history
    _is_given_up = _is_stored = False
    _success: Any = None

    @property
    def eta(self) -> None:
        """Keep Celery from holding the request: what is not due has gone before. The task sees the ETA it was given."""

    @property
    def may_have_begun(self) -> bool:
        """Whether an earlier run may have taken its worker with it."""
        return self.task.acks_late and self.delivery_info["redelivered"]

    def has_crashed_too_often(self, notes: int) -> bool:
        """Remember how many crash notes there are; return whether the task may not run again."""
        self._crashed_runs = notes + 1  # the first run writes no crash note
        policy = self.app.policy
        own = rules_of(self.task)
        rule = policy.rule(kinds.LOST, own)
        crashed = self._failures().count(lambda kind: policy.rule(kind, own) == rule)
        return notes > 0 and crashed >= most_runs(rule.action, kinds.LOST)

    def give_up(self, how: str | None = None) -> None:
        """End a task that took its worker with it, so that it does not run again."""
        self._is_given_up = True
        try:
            try:
                raise WorkerLostError(how or f"its worker was lost in {self._crashed_runs} runs")
            except WorkerLostError:
                self.on_failure(ExceptionInfo())
        except Exception:  # the dead letter comes first; most likely the result could not be stored
            logger.exception("the end of %s[%s] could not be reported", self.name, self.id)
            self.acknowledge()

    def end(self) -> None:
        """Tell whoever waits for the end of the run, once."""
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(self)

    def acknowledge(self) -> None:
        super().acknowledge()
        self.end()

    def reject(self, requeue: bool = False) -> None:
        super().reject(requeue)
        self.end()

    def terminate(self, pool: Any, signal: Any = None) -> None:
        has_process = self.time_start and self.worker_pid != os.getpid()
        if has_process and signal and platforms.signals.signum(signal) == SOFT_SIGNAL:
            with suppress(ProcessLookupError):
                os.kill(self.worker_pid, REVOKING_SIGNAL)
            self._announce_revoked("terminated", True, SOFT_SIGNAL, False)
        else:
            super().terminate(pool, signal)

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        has_message = self.task.acks_late or not self.acknowledged
        self._already_cancelled = True  # Celery sets this only after the process has accepted the task
        try:
            super().cancel(pool, signal, emit_retry and has_message)
        except NotImplementedError:  # a pool whose tasks cannot be ended from outside
            self._already_cancelled = False
        else:
            if job := self._apply_result and self._apply_result():
                end_soon(pool._pool, job)
            if not has_message:  # no broker will redeliver it
                self._crashed_runs += 1
                self.give_up("its worker was stopped while it ran")
        finally:
            self.end()

    def _announce_revoked(self, reason: str, terminated: bool, signum: Any, expired: bool) -> None:
        # A private hook of Celery 5.7. An error of the results' server would pass for one of the broker's, or end it.
        try:
            super()._announce_revoked(reason, terminated, signum, expired)
        except Exception as error:  # noqa: BLE001 - a backend can raise anything
            logger.error("that %s[%s] is revoked was not stored: %s", self.name, self.id, error)
            self.acknowledge()
            self._already_revoked = True
            told = {"terminated": terminated, "signum": signum, "expired": expired}
            signals.task_revoked.send(sender=self.task, request=self._context, **told)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        if self._already_cancelled:
            return  # it ignored the cancel, and the message already runs elsewhere
        requeued = self.task.acks_late and not self.task.acks_on_timeout
        if not soft and not state.should_terminate and not requeued:
            error = TimeLimitExceeded(timeout)
            self._store(error, classify(error))
        try:
            super().on_timeout(soft, timeout)
        except Exception:
            # Celery tells its backend and the links first, and would not end the process any more.
            logger.exception("the end of %s[%s] at its time limit could not be reported", self.name, self.id)
            if not soft and not requeued:
                self.acknowledge()

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        # The process of the task knows its own errors best: with `return_ok`, it has handled this one, and what it has
        # stored stays. This process stores the others, and a hard time limit, which comes by `on_timeout`.
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if self._is_interrupted(error):
            state.task_ready(self)
            self.end()
            return
        traceback_text = str(exc_info.traceback)
        match error:
            case exceptions.Ignore():
                count_without_dead_letter("ignored", self.name, self.id)
            case exceptions.Reject(reason=BaseException() as reason, requeue=requeue) if not requeue:
                self._store(reason, classify(reason), traceback_text=traceback_text)
            case exceptions.Reject(reason=reason, requeue=requeue) if not requeue:
                verdict = Verdict(kinds.REJECTED, origin="celery.exceptions.Reject")
                self._store(RuntimeError(reason), verdict, traceback_text=traceback_text)
            case exceptions.Reject() | exceptions.Retry():
                pass  # it runs again
            case Terminated() | WorkerLostError() | SystemExit() | KeyboardInterrupt():
                if self._has_crashed(error) and self._runs_again(error, traceback_text):
                    return
            case _ if not return_ok or self.outlived_connection:
                self._store(error, classify(error), keep_existing=True, traceback_text=traceback_text)
        if isinstance(error, MemoryError):
            # Celery would end the whole worker for it. The process of the task has reported it: both live on.
            state.task_ready(self)
            self.acknowledge()
        else:
            super().on_failure(exc_info, send_failed_event, return_ok)

    def _is_interrupted(self, error: BaseException) -> bool:
        """Whether this worker has ended the run, so that the broker redelivers the message."""
        if isinstance(error, TimeLimitExceeded):
            return self._already_cancelled  # it did not heed the signal
        is_final = self._already_revoked or (self._is_given_up and isinstance(error, WorkerLostError))
        if is_final or not isinstance(error, WITHOUT_PROCESS):
            return False
        # A signal to the whole process group reaches the processes of tasks as well.
        stops = self.worker_stops or state.should_terminate or state.should_stop is not None
        return self._already_cancelled or (self.task.acks_late and stops)

    def _has_crashed(self, error: BaseException) -> bool:
        """Whether a process is gone that was to report the end of the run, and nobody has revoked the task."""
        is_celerys = self.task.retry_on_worker_lost and not self.task.acks_late  # it runs the task again
        is_known = self._already_revoked or isinstance(error, Terminated) or is_celerys
        return not (is_known or self._success_was_stored())

    def _success_was_stored(self) -> Any:
        if self._success is None:  # Celery asks a second time; each waits for the results' server
            self._success = super()._success_was_stored()
        return self._success

    def _runs_again(self, error: BaseException, traceback_text: str) -> bool:
        """Publish the next run after a crash, where the policy wants one; else store the dead letter."""
        task, context = self.task, self._context
        verdict = Verdict(kinds.LOST, origin=type(error).__name__)
        failures = self._failures(0 if self._is_given_up else 1)
        may = not self._is_given_up and task.acks_late and isinstance(task, Task)
        delay = delay_of_next_run(task, context, verdict, failures, time.time()) if may else None
        if delay is None:
            self._store(error, verdict, failures=failures)
            return False
        state.task_ready(self)
        try:
            next_run(task, context, delay, failures).apply_async()
        except (OperationalError, OSError) as problem:
            logger.error("the broker did not take the next run of %s[%s]: %s", self.name, self.id, problem)
            self.reject(requeue=True)
            return True
        self.acknowledge()
        logger.warning("%s[%s] runs again in %g s: %s", self.name, self.id, delay, error)
        try:
            if self.store_errors:
                task.backend.mark_as_retry(self.id, error, traceback_text, request=context)
        except Exception as problem:  # noqa: BLE001 - a backend can raise anything; the next run is published
            logger.error("that %s[%s] runs again was not stored: %s", self.name, self.id, problem)
        self.send_event("task-retried", exception=repr(error), traceback=traceback_text)
        return True

    def _failures(self, more: int = 0) -> AttemptHistory:
        """Return the attempt history, with the crashed runs that the message does not know of, and `more`."""
        failures = AttemptHistory.read(self._context.headers)
        for _ in range(self._crashed_runs + more):
            failures.add(kinds.LOST, time.time())
        return failures

    def _store(self, error: BaseException, verdict: Verdict, keep_existing: bool = False, **known: Any) -> None:
        if self._is_stored:  # Celery reports a hard time limit twice
            return
        self._is_stored = self._context.recorded = True  # the second is read by the recorder
        entry = build.of_task(self.task, self._context, error, verdict, **known)
        self.app.dead_letters.add(entry, keep_existing=keep_existing)


def count_without_dead_letter(reason: str, name: str, task_id: str) -> None:
    """Log that a task has ended with nothing to requeue, and how many have so far."""
    without_dead_letter[reason] += 1
    counts = ", ".join(f"{number} {why}" for why, number in sorted(without_dead_letter.items()))
    logger.info("no dead letter for %s[%s]: %s (in this worker so far: %s)", name, task_id, reason, counts)
