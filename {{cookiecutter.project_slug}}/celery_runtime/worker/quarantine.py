"""Quarantine tasks that crash workers: bound how often each may, and keep that from its neighbours.

Runs in: worker main process. A task whose worker crashed runs once more as usual: it may have been a neighbour of the
culprit. After another crash it is quarantined: it runs alone in its worker, so that the next crash proves its guilt.
The policy's rule for `worker.lost` bounds the runs in all, and the last of them leaves a dead letter.

Alone means: it begins when nothing else runs in this worker, and until it has ended nothing else does. Messages that
come meanwhile, of such tasks too, are delayed for a second. A pool without a semaphore runs it beside others.
"""

from contextlib import suppress
from typing import Any

from celery.utils.log import get_logger
from celery.worker import state

from celery_runtime.brokers import BrokerError, broker_of
from celery_runtime.worker.request import Request

logger = get_logger(__name__)

LOOK_EVERY = 0.2  # seconds between two looks whether the others have ended


class Quarantine:
    """Decides about each task of a worker's consumer before it runs."""

    def __init__(self, consumer: Any) -> None:
        self._consumer, worker = consumer, consumer.controller
        self._broker = broker_of(consumer.app)
        self._run_when_free = consumer.on_task_request
        self._run = worker._process_task  # for which a process is free
        # It counts the free processes. Pools of another sort never give back what they took of it.
        self._semaphore: Any = worker.semaphore if getattr(worker.pool_cls, "uses_semaphore", False) else None
        self._alone: Request | None = None  # the one that is quarantined, or waits for the others to end
        self._ended: set[str] = set()  # the ids of runs whose crash notes are to be deleted

    def handle(self, request: Any) -> None:
        """Give a request to the pool, unless it may be a run after a crash, or another one is to be alone."""
        if self._alone is not None:
            self._deliver_later(request)
        elif not isinstance(request, Request) or not request.may_have_begun:
            self._run_when_free(request)
        elif self._semaphore:
            self._semaphore.acquire(self._admit, request)
        else:
            self._admit(request)

    def lose_connection(self) -> None:
        """Forget the request that waits to be alone: the broker redelivers it."""
        if self._alone is not None and self._alone.on_end is None:
            self._alone = None

    def settle(self) -> None:
        """Delete the crash notes of runs that have ended, also while the broker was away."""
        with suppress(BrokerError):
            for task_id in tuple(self._ended):
                self._broker.forget_runs(task_id)
                self._ended.discard(task_id)

    def _admit(self, request: Request) -> None:
        if self._alone is not None:
            self._semaphore.release()
            self._deliver_later(request)
            return
        try:
            crashes = self._broker.count_crashes(request.id)
        except BrokerError as error:
            logger.warning("%s[%s] runs without a quarantine: %s", request.name, request.id, error)
            self._run(request)
            return
        if request.has_crashed_too_often(crashes):
            request.give_up()
            self._on_end(request)
            if self._semaphore:
                self._semaphore.release()
        elif not crashes or not self._semaphore:
            self._begin(request)
        else:
            logger.warning("%s[%s] was lost with its worker: it runs alone", request.name, request.id)
            self._alone = request
            self._begin_when_alone(request)

    def _begin_when_alone(self, request: Request) -> None:
        if self._alone is not request:
            return
        if any(other is not request for other in tuple(state.reserved_requests)):
            self._consumer.timer.call_after(LOOK_EVERY, self._begin_when_alone, (request,))
        else:
            self._begin(request)

    def _begin(self, request: Request) -> None:
        try:
            self._broker.note_run(request.id)
        except BrokerError as error:
            logger.warning("the run of %s[%s] has no crash note: %s", request.name, request.id, error)
        request.on_end = self._on_end
        try:
            self._run(request)
        except BaseException:
            request.end()
            raise

    def _on_end(self, request: Request) -> None:
        if self._alone is request:
            self._alone = None
        self._ended.add(request.id)
        if request.acknowledged:  # else the worker stops, or has lost its broker, and settles later
            self.settle()

    def _deliver_later(self, request: Any) -> None:
        state.task_ready(request)
        self._consumer.deliver_later(request.message)
        request.acknowledged = True
