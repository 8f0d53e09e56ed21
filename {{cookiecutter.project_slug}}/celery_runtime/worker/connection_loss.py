"""Wait for a broker that is away, and keep what belongs to it until it is back.

Runs in: worker main process. On Redis, running tasks go on, and the next connection acknowledges them. RabbitMQ
redelivers them at once: there the worker ends them.
"""

import time
import warnings
from typing import Any

from celery.bootsteps import ConsumerStep
from celery.concurrency import solo
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import EX_FAILURE
from celery.utils import timer2
from celery.utils.log import get_logger
from celery.worker import consumer, state

from celery_runtime import health
from celery_runtime.brokers import WorkerChannel
from celery_runtime.brokers.redis import refuses_for_now
from celery_runtime.worker.liveness import Liveness
from celery_runtime.worker.rights import MISSING, refusal

logger = get_logger(__name__)

RENEWALS = 4  # in the time of a lease
PAUSE, LONGEST_PAUSE = 1.0, 5.0  # seconds between two attempts


class ReconnectingConsumer(consumer.Consumer):
    """Outlives the loss of its connection."""

    first_connection_attempt: bool

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._liveness = Liveness()
        self.timer.call_repeatedly(self.app.conf.worker_liveness_interval, self._liveness.touch)
        if timeout := self.app.conf.broker_transport_options.get("visibility_timeout"):
            # A pool of one process runs a task in the loop, whose timers wait meanwhile.
            self._renews_in_loop = self.hub and not issubclass(self.controller.pool_cls, solo.TaskPool)
            timer = self.timer if self._renews_in_loop else timer2.Timer()
            timer.call_repeatedly(timeout / RENEWALS, self._renew)
        # Delivery tags, of which Redis is told when it is back.
        self._not_requeued: dict[str, float] = {}  # with the time of the loss
        self._not_acknowledged: set[str] = set()  # of tasks that have ended

    def start(self) -> None:
        try:
            super().start()
        except MISSING as error:
            connection = self.app.connection_for_read()
            logger.critical("the broker at %s refuses: %s", connection.as_uri(), refusal(error, connection))
            raise SystemExit(EX_FAILURE) from None

    def ensure_connected(self, conn: Any) -> Any:
        """Wait until the broker can be worked with. Celery would log each attempt, and wait up to 30 s for the next."""
        conf = self.app.conf
        if not conf[self._get_connection_retry_type(self.first_connection_attempt)]:
            return super().ensure_connected(conn)
        since, is_told = time.monotonic(), False

        def tell(error: BaseException, _interval: float) -> None:
            nonlocal is_told
            if not is_told:
                is_told = True
                self._liveness.tell("waiting for its broker")
                logger.error("the worker waits for its broker at %s: %s", conn.as_uri(), error)

        def go_on() -> None:
            self._liveness.touch()
            state.maybe_shutdown()

        while True:
            conn.ensure_connection(tell, conf.broker_connection_max_retries, 1, 1, LONGEST_PAUSE, callback=go_on)
            try:
                conn.default_channel.check_writes()
                break
            except (*conn.connection_errors, *conn.channel_errors) as error:
                if not isinstance(error, conn.connection_errors) and not refuses_for_now(error):
                    break  # no waiting mends it
                tell(error, PAUSE)
            conn.close()
            time.sleep(PAUSE)
            go_on()
        if is_told:
            logger.warning("the broker is back after %.0f s", time.monotonic() - since)
        self.first_connection_attempt = False
        return conn

    def connection_for_write(self, url: str | None = None, heartbeat: float | None = None) -> Any:
        """Connect what sends events, without confirms: RabbitMQ sends none while it is short of memory."""
        connection = self.app.connection_for_write(url=url, heartbeat=heartbeat)
        connection.transport_options = {**connection.transport_options, "confirm_publish": False}
        return self.ensure_connected(connection)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        if not isinstance(exc, self.connection_errors) and not refuses_for_now(exc):
            raise exc  # defaults.py has Celery reconnect after any channel error of Redis
        for request in tuple(state.active_requests):
            # Else a Redis that still answers requeues running tasks, and they run twice at the same time.
            request.message.channel.let_go(request.message.delivery_tag)
        if self.task_consumer:  # a Redis that is away requeues nothing
            channel: WorkerChannel = self.task_consumer.channel
            self._not_requeued.update(dict.fromkeys(channel.held(), time.monotonic()))
            self._not_acknowledged.update(channel.unacknowledged)
        with warnings.catch_warnings():
            # Celery explains at length that it cancels no tasks; on Redis that is right, see defaults.py.
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)
        for step in self.steps:
            if isinstance(step, ConsumerStep):
                # These consumers ended with the connection. Celery would close them again, and crash.
                step.consumers = None

    def _renew(self) -> None:
        """Renew the leases of what this worker has: a Redis would requeue it."""
        try:
            if self.task_consumer and (held := self.task_consumer.channel.held()):
                self.task_consumer.channel.renew(held)
        except (*self.connection_errors, *self.channel_errors) as error:
            if self._renews_in_loop and isinstance(error, self.connection_errors):
                raise  # the loop reconnects
            logger.warning("the leases of running tasks were not renewed: %s", error)

    def on_ready(self) -> None:
        super().on_ready()
        channel: WorkerChannel = self.task_consumer.channel
        for request in tuple(state.active_requests):
            request.outlived_connection = True
            if not request.message.acknowledged:  # or it would fill the prefetch limit for ever
                channel.adopt(request.message)
        while self._not_acknowledged:
            channel.acknowledge(self._not_acknowledged.pop())
        while self._not_requeued:
            channel.give_back(*self._not_requeued.popitem())
        self._renew()
        self._liveness.tell(health.READY)

    def shutdown(self) -> None:
        super().shutdown()
        self._liveness.end()
