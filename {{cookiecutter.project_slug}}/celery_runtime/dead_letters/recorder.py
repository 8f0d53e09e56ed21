"""Store the dead letters of tasks that fail in the process that runs them.

Runs in: task process. A task that the policy gives up is stored at once, before its result tells of the failure. All
else comes by Celery's signals: a result that cannot be stored, a task with a base of its own. Their exception may be a
stand-in for one that does not pickle, so the task has remembered the true one before.
"""

import threading
from typing import Any

from celery import signals
from celery.app.task import Context

from celery_runtime.dead_letters import DeadLetters, build
from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.history import AttemptHistory


class Recorder(threading.local):
    """Remember the error of the task that runs in this thread, and store it where it is final."""

    _task_id: str | None = None
    # The error as the task knows it, until it is stored. It is final unless a next run was published.
    _known: tuple[BaseException, Verdict, AttemptHistory] | None = None

    def __init__(self, dead_letters: DeadLetters) -> None:
        self.dead_letters = dead_letters

    def connect(self) -> None:
        signals.task_failure.connect(self._on_failure)
        signals.task_internal_error.connect(self._on_internal_error)

    def forget_error(self) -> None:
        """Forget the error of the task before; called when a task begins."""
        self._task_id = self._known = None

    def remember_error(self, task_id: str, error: BaseException, verdict: Verdict, failures: AttemptHistory) -> None:
        self._task_id, self._known = task_id, (error, verdict, failures)

    def store_error(self, task: Any, request: Any) -> None:
        """Store the remembered error of the task as a dead letter, once."""
        if self._known is not None:
            entry = build.of_task(task, request, *self._known)
            self._known = None
            self.dead_letters.add(entry)

    def _on_failure(self, sender: Any, task_id: str, exception: BaseException, einfo: Any, **_: Any) -> None:
        request = sender.request_stack.top
        # In the main process of a worker, which runs nothing, request.py stores it.
        if request is not None and request.id == task_id and not getattr(request, "recorded", False):
            self._on_error(sender, request, exception, einfo)

    def _on_internal_error(self, sender: Any, request: Any, exception: Any, einfo: Any, **known: Any) -> None:
        context = Context(request or {}, id=known["task_id"], args=known["args"], kwargs=known["kwargs"])
        self._on_error(sender, context, exception, einfo)

    def _on_error(self, task: Any, request: Any, error: BaseException, einfo: Any) -> None:
        if task.app is not self.dead_letters.app or request.is_eager:
            return
        if self._task_id == request.id:
            self.store_error(task, request)
        else:
            self.dead_letters.add(build.of_task(task, request, error, traceback_text=str(einfo.traceback)))
