"""Base of every task: classify an error where it happens, and let the policy decide what follows.

Runs in: task process; the worker's main process asks it for the next run after a crash.
"""

import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import celery
from celery import exceptions
from celery.utils.log import get_logger
from kombu.exceptions import OperationalError

from celery_runtime.errors.classify import classify
from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry import chords
from celery_runtime.retry.history import AttemptHistory
from celery_runtime.retry.next_run import attempt_of, delay_of_next_run, next_run
from celery_runtime.retry.policy import Action
from celery_runtime.text import message_of

logger = get_logger(__name__)

# Celery raises these to decide about a message.
DECISIONS = (exceptions.Ignore, exceptions.Reject, exceptions.Retry)
# These end a process on purpose; gevent and eventlet end a task by exceptions of their own.
PASSES = (GeneratorExit, KeyboardInterrupt, SystemExit)
GREEN_THREADS = ("eventlet", "gevent", "greenlet")
# Seconds before a message is requeued whose next run the broker has refused: at once would be a busy loop.
PAUSE_AFTER_REFUSAL = 5.0


class NotAnException(Exception):
    """Stand for a `BaseException` of a task, which would have ended the process."""


class Revoked(exceptions.SoftTimeLimitExceeded):
    """End a run that is revoked with the signal SIGUSR1, which lets it clean up as at its soft time limit."""


class Attempt:
    """The number of this run, from 1: runs by the policy and by Celery's own retries together.

    It is no property: `self.attempt = 1` in a task that was written without this library sets an attribute as ever.
    """

    def __get__(self, task: celery.Task, _owner: type) -> int:
        return attempt_of(task.request)


class Task(celery.Task):
    """Run a task again after an error, or give it up, as the rules say.

    If it is given up, the error goes on as it is: Celery stores it, logs it and calls `link_error`. If it runs again,
    the next run is a message like any other, with its delay; no process waits for it. `autoretry_for`, `max_retries`
    and `self.retry()` keep the meaning that Celery gives them. A direct call and eager mode have no policy.
    """

    # Rules of this task, by kind, which come before those of the project. They are read from its class.
    policy: ClassVar[Mapping[str, Action] | None] = None
    # Names that the task had before: a worker runs what was published under them, in a queue, a chain or a schedule.
    old_names: ClassVar[Sequence[str]] = ()
    attempt = Attempt()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        request: Any = self.request_stack.top
        # `_protected` is Celery's mark of a run in which the task calls itself as a function.
        if request is None or request.called_directly or request._protected:
            return super().__call__(*args, **kwargs)
        request._protected = 1
        self.app.recorder.forget_error()
        try:
            return self.run(*args, **kwargs)
        except BaseException as error:
            self._decide(error)
            raise
        finally:
            # Celery leaves the max_retries of `self.retry()` on the task: they would hold for later messages.
            self.__dict__.pop("override_max_retries", None)

    def retry(self, *args: Any, **options: Any) -> Any:
        try:
            if self.name == chords.UNLOCK:
                most = options.pop("max_retries")
                options["countdown"] = chords.next_look(self, options["countdown"], most)
            return super().retry(*args, **options)
        except DECISIONS:
            raise
        except Exception as error:
            self.request.gave_up = error
            raise

    def before_next_run(self, verdict: Verdict) -> None:
        """Prepare for the next run, before it is published: a Django task closes its connections here."""

    def _decide(self, error: BaseException) -> None:
        """Return if the error is final and stored as a dead letter; else raise the decision that Celery acts on."""
        request: Any = self.request
        if not isinstance(error, Exception):
            if isinstance(error, PASSES) or type(error).__module__.partition(".")[0] in GREEN_THREADS:
                return
            raise NotAnException(f"{type(error).__name__}: {message_of(error)}") from error
        if request.is_eager or isinstance(error, DECISIONS):
            return
        if isinstance(error, Revoked):
            # Its message is acknowledged by now: only a task that began just then runs again.
            raise exceptions.Reject(error, requeue=True) from error
        _ = self.app.policy  # imports the rules for exceptions as well, if no worker has done so yet
        verdict = classify(error)
        history = AttemptHistory.read(request.headers)
        now = time.time()
        history.add(verdict.kind, now)
        self.app.recorder.remember_error(request.id, error, verdict, history)
        if isinstance(error, MemoryError):
            traceback.clear_frames(error.__traceback__)  # what filled the memory is in their variables
        delay = None if self._is_celerys(error) else delay_of_next_run(self, request, verdict, history, now)
        if delay is None:
            if type(self).__call__ is Task.__call__:  # one of the user's may catch the error yet
                self.app.recorder.store_error(self, request)
            return
        self.before_next_run(verdict)
        self._run_again(error, delay, history)

    def _is_celerys(self, error: Exception) -> bool:
        """Whether Celery was told what to do about the error."""
        passed_on = tuple(getattr(self, "dont_autoretry_for", ()))
        return getattr(self.request, "gave_up", None) is error or isinstance(error, passed_on)

    def _run_again(self, error: Exception, delay: float, history: AttemptHistory) -> NoReturn:
        again = next_run(self, self.request, delay, history)
        try:
            again.apply_async()
        except (OperationalError, OSError) as problem:
            if not self.acks_late:
                logger.error("the broker did not take the next run: the task is given up")
                raise error from error.__cause__
            logger.error("the broker did not take the next run: the message goes back to its queue")
            time.sleep(PAUSE_AFTER_REFUSAL)
            raise exceptions.Reject(problem, requeue=True) from error
        raise exceptions.Retry(exc=error, when=delay, sig=again)
