"""Bounds how often a task may take its whole worker with it, and keeps that from its neighbours.

A task that was lost with its worker runs once more as usual; it may have been a neighbour of the culprit. When it was
lost again, it runs alone in its worker: what is lost then has itself to blame. The policy's row for `worker.lost` says
how many runs there are in all, and the last of them leaves a dead letter.

Alone means: it begins when nothing else runs in this worker, and until it has ended nothing else does. What comes meanwhile,
another such task too, goes back to its queue, for other workers. A pool without a semaphore runs it beside others.
"""

from collections.abc import Callable, Iterable
from typing import Any

from celery.utils.log import get_logger
from celery.worker import state

from celery_runtime.brokers import BrokerError, broker_of

logger = get_logger(__name__)

LOOK_EVERY = 0.2  # seconds, whether the others have ended
GIVE_BACK_AFTER = 1.0  # seconds; at once, a worker would toss a message to and fro in a busy loop


class Guard:
    """Decides about each task before it runs.

    Args:
        semaphore: counts the free processes; None for a pool that has none.
        run: gives a request to the pool, for which a process is free.
        timer: that of the worker's loop.
    """

    def __init__(self, app: Any, semaphore: Any, run: Callable[[Any], None], timer: Any) -> None:
        self.broker = broker_of(app)
        self.semaphore = semaphore
        self.run = run
        self.timer = timer
        self._alone: Any = None  # the request that runs alone, or waits for the others to end
        self._to_forget: set[str] = set()
        self._connections = 0  # that were lost

    def takes(self, request: Any) -> bool:
        """Whether the request is dealt with here: it may have been begun before, or another one is to be alone."""
        if self._alone is not None:
            self._give_back_later(request)
        elif not getattr(request, "may_have_begun", False):
            return False
        elif self.semaphore:
            self.semaphore.acquire(self._admit, request)
        else:
            self._admit(request)
        return True

    def lose_connection(self) -> None:
        """Forget what waits, to be alone or to be given back: the broker hands it out anew."""
        self._connections += 1
        if self._alone is not None and self._alone.on_end is None:
            self._alone = None

    def let_go(self, requests: Iterable[Any]) -> None:
        """Take back the notes of runs that are interrupted."""
        for request in requests:
            if request.on_end is not None:
                self._to_forget.add(request.id)
        self.settle()

    def settle(self) -> None:
        """Take back the notes of runs that ended while the broker was away, or in a hurry."""
        while self._to_forget:
            task_id = self._to_forget.pop()
            if not self._forget(task_id):
                return

    def _admit(self, request: Any) -> None:
        if self._alone is not None:
            self._free_process()
            self._give_back_later(request)
            return
        try:
            lost = self.broker.count_crashes(request.id)
        except BrokerError as error:
            logger.warning("%s[%s] runs unguarded: %s", request.name, request.id, error)
            self.run(request)
            return
        request.count_lost_runs(lost)
        if lost and request.was_lost_too_often():
            request.give_up_as_lost()
            self._forget(request.id)
            self._free_process()
        elif not lost or not self.semaphore:
            self._begin(request)
        else:
            logger.warning("%s[%s] was lost with its worker: it runs alone", request.name, request.id)
            self._alone = request
            self._begin_when_alone(request)

    def _begin_when_alone(self, request: Any) -> None:
        if self._alone is not request:
            return
        if any(other is not request for other in tuple(state.reserved_requests)):
            self.timer.call_after(LOOK_EVERY, self._begin_when_alone, (request,))
        else:
            # It may have waited for long. RabbitMQ knows no such time.
            if renew := getattr(request.message.channel, "renew", None):
                renew(request.message.delivery_tag)
            self._begin(request)

    def _begin(self, request: Any) -> None:
        def end(*, in_a_hurry: bool) -> None:
            if self._alone is request:
                self._alone = None
            if in_a_hurry:
                self._to_forget.add(request.id)
            else:
                self._forget(request.id)

        try:
            self.broker.note_run(request.id)
        except BrokerError as error:
            logger.warning("the run of %s[%s] is not noted: %s", request.name, request.id, error)
        request.on_end = end
        try:
            self.run(request)
        except BaseException:
            end(in_a_hurry=True)
            raise

    def _give_back_later(self, request: Any) -> None:
        state.task_ready(request)
        self.timer.call_after(GIVE_BACK_AFTER, self._give_back, (request, self._connections))

    def _give_back(self, request: Any, connections: int) -> None:
        if connections == self._connections:
            request.reject(requeue=True)

    def _free_process(self) -> None:
        if self.semaphore:
            self.semaphore.release()

    def _forget(self, task_id: str) -> bool:
        try:
            self.broker.forget_runs(task_id)
        except BrokerError:
            self._to_forget.add(task_id)
            return False
        return True
