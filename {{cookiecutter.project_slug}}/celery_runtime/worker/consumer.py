"""Return messages to their queue that this worker must not run, or not yet; hand the others to the pool.

Runs in: worker main process.
"""

from collections.abc import Callable
from typing import Any

from celery.utils.log import get_logger
from celery.worker import state

from celery_runtime.brokers import urls
from celery_runtime.worker import delays
from celery_runtime.worker.connection_loss import ReconnectingConsumer
from celery_runtime.worker.quarantine import RETURN_AFTER, Quarantine
from celery_runtime.worker.screening import ScreeningConsumer

logger = get_logger(__name__)


class Consumer(ScreeningConsumer, ReconnectingConsumer):
    """Returns messages that other workers of the project are to run, and those held until their time.

    Celery would reject the first as unknown, and hold the second longer than brokers allow.
    """

    on_task_request: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._named_left_out: set[str] = set()
        self._quarantine = Quarantine(self)
        self._give_to_pool = self.on_task_request
        self.on_task_request = self._on_task_request
        # Half of what the broker allows: the messages that are due wait for a process as well.
        self._longest_hop = urls.longest_hold(self.app.conf) / 2

    def connect(self) -> Any:
        connection = super().connect()
        self._quarantine.settle()
        return connection

    def on_close(self) -> None:
        super().on_close()
        self._quarantine.lose_connection()

    def shutdown(self) -> None:
        # Before the messages are requeued: the next worker must not find them noted as crashed.
        self._quarantine.settle()
        super().shutdown()

    def requeue_running(self) -> None:
        """Requeue running tasks, which have not crashed. A thread calls it before it ends the process."""
        for request in tuple(state.active_requests):
            request.end()
        self._quarantine.settle()
        self.task_consumer.channel.requeue_held()

    def on_valid_message(self, handle: Callable[[Any], None], message: Any) -> None:
        delays.shorten(message, self._longest_hop, self.app.timezone)
        handle(message)

    def _on_task_request(self, request: Any) -> None:
        if not self._quarantine.takes(request):
            self._give_to_pool(request)

    def apply_eta_task(self, request: Any) -> None:
        self.outlive(request.message, self._apply_eta_task, request)

    def _apply_eta_task(self, request: Any) -> None:
        if not delays.waits(request.message):
            super().apply_eta_task(request)
        elif request.revoked():
            self.qos.decrement_eventually()  # no other worker would run it either
        else:
            state.task_ready(request)
            self.in_loop(self._return, request.message, self.qos)

    def _limit_post_eta(self, request: Any, _bucket: Any, _tokens: int) -> None:
        # A private hook of Celery 5.7: tasks with a rate limit come here instead.
        self.apply_eta_task(request)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        name = message.headers.get("task") or message.payload["task"]
        if not self.app.task_modules.owns_left_out(name):
            super().on_unknown_task(body, message, exc)
            return
        if name not in self._named_left_out:
            self._named_left_out.add(name)
            logger.warning("%s is not selected in this worker: its messages return to the queue", name)
        # A message that is held must not count against the prefetch limit, or the worker stands still.
        self.qos.increment_eventually()
        self.timer.call_after(RETURN_AFTER, self.in_loop, (self._return, message, self.qos))

    def in_loop(self, act: Callable[..., None], *args: Any) -> None:
        """Act for a timer in the thread that may use the connection."""
        if self.hub:
            act(*args)
        else:  # the timers have a thread of their own
            self.call_soon(act, *args)

    def _return(self, message: Any, qos: Any) -> None:
        if qos is not self.qos:
            return  # its connection is gone, and the message may be another worker's by now
        qos.decrement_eventually()
        qos.update()  # or this worker would take it back at once, into its own line
        message.reject_log_error(logger, self.connection_errors, requeue=True)
