"""The worker's consumer: what this worker is not to run, or not yet, goes back to its queue."""

import time
import warnings
from typing import Any

from celery.bootsteps import ConsumerStep
from celery.exceptions import CPendingDeprecationWarning
from celery.utils.log import get_logger
from celery.worker import state

from celery_runtime import health
from celery_runtime.brokers import urls
from celery_runtime.brokers.redis import refuses_for_now
from celery_runtime.worker import delays
from celery_runtime.worker.connection_loss import wait_patiently
from celery_runtime.worker.liveness import Liveness
from celery_runtime.worker.quarantine import GIVE_BACK_AFTER, Guard
from celery_runtime.worker.screening import RejectingConsumer

logger = get_logger(__name__)


class Consumer(RejectingConsumer):
    """Gives back what other workers of the project are to run, and what was held until its time.

    Celery would reject the first as unknown, and hold the second longer than brokers allow.
    """

    hub: Any  # the stubs of Celery do not know these
    steps: Any
    on_task_request: Any
    task_consumer: Any
    qos: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._named_left_out: set[str] = set()
        self._liveness = Liveness(self.timer, self.app.conf.worker_liveness_interval)
        # Other pools than that of processes never give back what they took of it.
        counts = getattr(self.controller.pool_cls, "uses_semaphore", False)
        semaphore = self.controller.semaphore if counts else None
        self._not_given_back: dict[str, float] = {}  # since when, by the tag of the message
        self._not_acknowledged: set[str] = set()
        self._guard = Guard(self.app, semaphore, self.controller._process_task, self.timer)
        self._give_to_pool = self.on_task_request
        self.on_task_request = self._on_task_request
        # Half of what the broker allows: the messages that are due wait for a process as well.
        self._longest_hop = urls.longest_hold(self.app.conf) / 2

    def ensure_connected(self, conn: Any) -> Any:
        wait_patiently(conn, self._liveness)
        return super().ensure_connected(conn)

    def connection_for_write(self, url: str | None = None, heartbeat: float | None = None) -> Any:
        """Connect what sends events. Of these no confirm is waited for: RabbitMQ gives none while it is short of memory."""
        connection = self.app.connection_for_write(url=url, heartbeat=heartbeat)
        connection.transport_options = {**connection.transport_options, "confirm_publish": False}
        return self.ensure_connected(connection)

    def connect(self) -> Any:
        connection = super().connect()
        self._guard.settle()
        return connection

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        if not isinstance(exc, self.connection_errors) and not refuses_for_now(exc):
            raise exc  # where settings.py has Celery go on after any answer
        for request in tuple(state.active_requests):
            # A Redis that still answers would be given back what runs on, and it would run twice at the same time.
            if let_go := getattr(request.message.channel, "let_go", None):
                let_go(request.message.delivery_tag)
        # A Redis that is away takes back nothing.
        channel = getattr(self.task_consumer, "channel", None)
        self._not_given_back.update(dict.fromkeys(getattr(channel, "held", list)(), time.time()))
        self._not_acknowledged.update(getattr(channel, "unacknowledged", ()))
        with warnings.catch_warnings():
            # On Redis tasks are not cancelled, for the reason in settings.py; Celery has a page to say about it each time.
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)
        for step in self.steps:
            if isinstance(step, ConsumerStep):
                # Closed with the connection; Celery closes them again, and breaks where there is none any more.
                step.consumers = None

    def on_close(self) -> None:
        super().on_close()
        self._guard.lose_connection()

    def on_ready(self) -> None:
        super().on_ready()
        for request in tuple(state.active_requests):  # those that have outlived a lost connection
            request.outlived_connection = True
            adopt = getattr(self.task_consumer.channel, "adopt", None)
            if adopt and not request.message.acknowledged:  # or it would fill the prefetch limit for ever
                adopt(request.message)
        while self._not_acknowledged:
            self.task_consumer.channel.acknowledge(self._not_acknowledged.pop())
        while self._not_given_back:
            self.task_consumer.channel.give_back(*self._not_given_back.popitem())
        self._liveness.tell(health.READY)

    def hand_back(self) -> None:
        """Called by a thread, when this process ends at once: give back what runs, which was not lost."""
        self._guard.let_go(tuple(state.active_requests))
        if hasattr(self.task_consumer.channel, "held"):
            self.task_consumer.channel.qos.restore_unacked()

    def shutdown(self) -> None:
        # Before the messages go back: whoever takes them next must not find them noted as lost.
        self._guard.settle()
        super().shutdown()
        self._liveness.end()

    def before_task(self, message: Any) -> None:
        delays.shorten(message, self._longest_hop, self.app.timezone)

    def _on_task_request(self, request: Any) -> None:
        if not self._guard.takes(request):
            self._give_to_pool(request)

    def apply_eta_task(self, request: Any) -> None:
        self.outlive(request.message, self._apply_eta_task, request)

    def _apply_eta_task(self, request: Any) -> None:
        if delays.waits(request.message) and request.revoked():
            self.qos.decrement_eventually()  # it has expired, or was revoked: no other worker would run it either
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
        if qos is not self.qos:
            # The connection it came by is gone, and the message may be another worker's by now.
            return
        qos.decrement_eventually()
        qos.update()  # or this worker would take it back at once, into its own line
        message.reject_log_error(logger, self.connection_errors, requeue=True)
