"""The worker's consumer: what this worker is not to run, or not yet, goes back to its queue."""

from typing import Any

from celery.utils.log import get_logger
from celery.worker import state

from . import delays
from .rejection import RejectingConsumer

logger = get_logger(__name__)

GIVE_BACK_AFTER = 1.0  # seconds; at once, two workers would toss a message to and fro in a busy loop


class Consumer(RejectingConsumer):
    """Gives back what other workers of the project are to run, and what was held until its time.

    Celery would reject the first as unknown, and hold the second longer than brokers allow.
    """

    hub: Any  # the stubs of Celery do not know these
    qos: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._named_left_out: set[str] = set()
        conf = self.app.conf
        self._longest_hop = delays.longest_hop(conf.broker_read_url, conf.broker_transport_options)

    def before_task(self, message: Any) -> None:
        delays.shorten(message, self._longest_hop, self.app.timezone)

    def apply_eta_task(self, request: Any) -> None:
        self.outlive(request.message, self._apply_eta_task, request)

    def _apply_eta_task(self, request: Any) -> None:
        if delays.waits(request.message) and request.revoked():
            self.qos.decrement_eventually()  # it has expired, or was revoked: RabbitMQ would drop it in silence
        elif delays.waits(request.message):
            state.task_ready(request)
            self._give_back_soon(request.message, self.qos)
        else:
            super().apply_eta_task(request)

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
            logger.warning("%s is not selected in this worker: its messages go back to the queue", name)
        # What is held back must not count against the prefetch limit, or the worker stands still.
        self.qos.increment_eventually()
        self.timer.call_after(GIVE_BACK_AFTER, self._give_back_soon, (message, self.qos))

    def _give_back_soon(self, message: Any, qos: Any) -> None:
        if self.hub:
            self._give_back(message, qos)
        else:  # without an event loop, timers have a thread of their own, which must not use the connection
            self.call_soon(self._give_back, message, qos)

    def _give_back(self, message: Any, qos: Any) -> None:
        if qos is self.qos:  # after a reconnect there is a new limit, which was never raised
            qos.decrement_eventually()
            qos.update()  # or this worker would take it back at once, into its own line
        message.reject_log_error(logger, self.connection_errors, requeue=True)
