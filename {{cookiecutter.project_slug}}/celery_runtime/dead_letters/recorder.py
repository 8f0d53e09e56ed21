"""Records what fails in the process that runs tasks.

A task that is given up is recorded at once, before its result tells of the failure. All else is told by Celery's signals:
a result that cannot be stored, a task with a base of its own. They may see a stand-in for an exception that
does not pickle, so the task has noted the true one before.
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery import signals
from celery.app.task import Context

from celery_runtime.dead_letters import build
from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.history import FailureRecord

if TYPE_CHECKING:
    from celery_runtime.dead_letters import DeadLetters


@dataclass
class _Noted:
    """An error as the task knows it. It is final unless a next run was published."""

    task_id: str
    error: BaseException
    verdict: Verdict
    failures: FailureRecord
    recorded: bool = False


class Recorder(threading.local):
    """What the tasks of this thread have noted."""

    _noted: _Noted | None = None

    def __init__(self, dead_letters: "DeadLetters") -> None:
        self.dead_letters = dead_letters

    def connect(self) -> None:
        signals.task_failure.connect(self._on_failure)
        signals.task_internal_error.connect(self._on_internal_error)

    def forget(self) -> None:
        """A task begins: what the one before has noted is not about it."""
        self._noted = None

    def note(self, task_id: str, error: BaseException, verdict: Verdict, failures: FailureRecord) -> None:
        """Note an error of the task that runs."""
        self._noted = _Noted(task_id, error, verdict, failures)

    def record(self, task: Any, request: Any) -> None:
        """Keep the noted error of the task, once."""
        noted = self._noted
        if noted is not None and not noted.recorded:
            entry = build.of_task(task, request, noted.error, noted.verdict, noted.failures)
            noted.recorded = True
            self.dead_letters.keep(entry)

    def _on_failure(self, sender: Any, task_id: str, exception: BaseException, einfo: Any, **_: Any) -> None:
        request = sender.request_stack.top
        # In the main process of a worker, which runs nothing, request.py records it.
        if request is not None and request.id == task_id and not getattr(request, "recorded", False):
            self._on_error(sender, request, exception, einfo)

    def _on_internal_error(
        self,
        sender: Any,
        task_id: str,
        args: Any,
        kwargs: Any,
        request: Any,
        exception: Any,
        einfo: Any,
        **_: Any,
    ) -> None:
        context = Context(request or {}, id=task_id, args=args, kwargs=kwargs)
        self._on_error(sender, context, exception, einfo)

    def _on_error(self, task: Any, request: Any, error: BaseException, einfo: Any) -> None:
        if task.app is not self.dead_letters.app or request.is_eager:
            return
        if self._noted is not None and self._noted.task_id == request.id:
            self.record(task, request)
        else:
            self.dead_letters.keep(build.of_task(task, request, error, told=str(einfo.traceback)))
