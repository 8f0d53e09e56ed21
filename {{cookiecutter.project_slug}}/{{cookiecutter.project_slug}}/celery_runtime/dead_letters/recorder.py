"""Records what fails in the process that runs tasks.

The signal of a failure comes after the result was stored; where that fails, the signal of an internal error comes instead.
Both may see a stand-in for an exception that does not pickle, so the task has noted the true one before.
"""

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from celery import signals
from celery.app.task import Context

from ..failures import FailureRecord
from ..verdict import Verdict
from . import record

if TYPE_CHECKING:
    from . import DeadLetters


class Final(NamedTuple):
    """A failure that no run follows, as the task knows it."""

    task_id: str
    error: BaseException
    verdict: Verdict
    failures: FailureRecord


class Recorder(threading.local):
    """What the tasks of this thread have noted.

    Attributes:
        final: of the task that runs, or ran last.
    """

    final: Final | None = None

    def __init__(self, dead_letters: "DeadLetters") -> None:
        self.dead_letters = dead_letters

    def connect(self) -> None:
        signals.task_failure.connect(self._on_failure)
        signals.task_internal_error.connect(self._on_internal_error)

    def _on_failure(self, sender: Any, task_id: str, exception: BaseException, einfo: Any, **_: Any) -> None:
        request = sender.request_stack.top
        # In the main process of a worker, which runs nothing, request.py records it.
        if request is not None and request.id == task_id and not getattr(request, "recorded", False):
            self._record(sender, request, exception, einfo)

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
        self._record(sender, Context(request or {}, id=task_id, args=args, kwargs=kwargs), exception, einfo)

    def _record(self, task: Any, request: Any, error: BaseException, einfo: Any) -> None:
        if task.app is not self.dead_letters.app or request.is_eager:
            return
        final = self.final
        if final is not None and final.task_id == request.id:
            entry = record.of_task(task, request, final.error, final.verdict, final.failures)
        else:
            entry = record.of_task(task, request, error, told=str(einfo.traceback))
        self.dead_letters.keep(entry)
