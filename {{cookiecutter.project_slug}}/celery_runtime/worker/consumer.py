"""Decide about each message: reject it, have it delivered later, or hand it to the pool.

Runs in: worker main process. Celery would log a message that no worker can run, arguments and all, and drop it, or end
on it: here it becomes a dead letter. Celery would reject one that is for other workers of the project: here it is
delivered again, after a second. Celery would hold one that is not due, and take nothing else meanwhile on RabbitMQ 4:
here it goes to what is delayed on the broker. This app publishes such a message there at once, others do not.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from celery import signals
from celery.exceptions import NotRegistered, TaskError
from celery.states import FAILURE, READY_STATES
from celery.utils.log import get_logger
from celery.worker import state
from kombu.common import Broadcast

from celery_runtime import kinds
from celery_runtime.brokers import BrokerError, broker_of
from celery_runtime.brokers.delays import seconds_left
from celery_runtime.brokers.redis import refuses_for_now
from celery_runtime.dead_letters import build
from celery_runtime.worker.connection_loss import ReconnectingConsumer
from celery_runtime.worker.message_schema import Rejection, check, request_of
from celery_runtime.worker.quarantine import Quarantine
from celery_runtime.worker.rights import MISSING

logger = get_logger(__name__)

LATER = 1.0  # seconds; at once, a worker would toss a message to and fro in a busy loop


class Consumer(ReconnectingConsumer):
    """Rejects messages that would crash a worker, and stores each as a dead letter first; requeues others."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._broker = broker_of(self.app)
        self._new_names: dict[str, str] = {}  # by the old ones
        self._named_left_out: set[str] = set()
        self._quarantine = Quarantine(self)
        self.on_task_request = self._quarantine.handle

    def connect(self) -> Any:
        connection = super().connect()
        connection.transport.on_unreadable = self._reject_bytes  # read by redis_transport.py alone
        self._check_rights()
        self._quarantine.settle()
        return connection

    def _check_rights(self) -> None:
        try:
            self._broker.check_rights()
        except BrokerError as error:
            if isinstance(error.__cause__, MISSING):
                raise error.__cause__ from None

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

    def update_strategies(self) -> None:
        for task in self.app.tasks.values():
            self._new_names.update(dict.fromkeys(getattr(task, "old_names", ()), task.name))
            if task.Request == "celery.worker.request:Request":
                task.Request = "celery_runtime.worker.request:Request"
            if task.acks_late:
                # Celery would run it again without a bound, or count otherwise. The policy does it instead.
                task.reject_on_worker_lost = task.retry_on_worker_lost = False
        super().update_strategies()

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        handle = super().create_task_handler(*args, **options)

        def on_task_received(message: Any) -> None:
            with self._guarding(message):
                check(message)
                fields = message.headers if "task" in message.headers else message.payload  # Celery 3 wrote no headers
                fields["task"] = self._new_names.get(fields["task"], fields["task"])
                if not (seconds := seconds_left(fields, self.app.timezone)):
                    handle(message)
                elif self._is_broadcast(message):
                    self.timer.call_after(seconds, on_task_received, (message,))
                else:
                    self.deliver_later(message, seconds)

        return on_task_received

    def _is_broadcast(self, message: Any) -> bool:
        """Whether each worker has its own copy of the message, which the broker would deliver again to all."""
        exchange = message.delivery_info.get("exchange")
        queues = self.app.amqp.queues.consume_from.values()
        return any(isinstance(queue, Broadcast) and queue.exchange.name == exchange for queue in queues)

    def deliver_later(self, message: Any, seconds: float = LATER) -> None:
        """Have the broker deliver a message again when these have passed."""
        try:
            self._broker.deliver_later(message, seconds)
        except BrokerError as error:  # it may be short of memory
            logger.error("a message that is not for now returns to its queue: %s", error)
            time.sleep(LATER)
            message.requeue()
        else:
            message.ack()

    @contextmanager
    def _guarding(self, message: Any) -> Iterator[None]:
        """Reject a message for which the block raises `Rejection`, or what would crash the worker again and again."""
        slots = self.controller.semaphore
        free = slots.value if slots else 0
        try:
            yield
        except Rejection as rejection:
            self._reject(message, rejection)
        except Exception as error:
            # On Redis, kombu counts a KeyError among the errors of a connection: the worker would reconnect for ever.
            is_of_broker = isinstance(error, self.connection_errors) and not isinstance(error, KeyError)
            if is_of_broker or refuses_for_now(error) or isinstance(error, MemoryError):
                raise
            with suppress(Exception):  # it may be one that no traceback can be made of
                logger.exception("a message would have ended the worker")
            if slots and slots.value < free:  # taken for it, and it does not run
                slots.release()
            if not message.acknowledged:
                why = Rejection(kinds.MALFORMED, f"{type(error).__name__}: {error}")
                # A pool without processes may have stored the task's own error, which knows the cause better.
                self._reject(message, why, error, keep=True)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        # Compression that cannot be undone; the check has rejected whatever else cannot be decoded.
        self._reject(message, Rejection(kinds.UNDECODABLE, f"{type(exc).__name__}: {exc}"), exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._reject(message, Rejection(kinds.MALFORMED, str(exc)), exc)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        headers = message.headers if "task" in message.headers else message.payload
        name, id_ = headers["task"], headers["id"]
        if self.app.task_modules.owns_left_out(name):
            if self._is_broadcast(message):
                message.ack()
                return
            if name not in self._named_left_out:
                self._named_left_out.add(name)
                logger.warning("%s is not selected in this worker: its messages return to the queue", name)
            self.deliver_later(message)
            return
        why = f"no task file of this worker has {name}, nor states it in old_names"
        self._store(message, Rejection(kinds.UNKNOWN_TASK, why))
        message.reject_log_error(logger, self.connection_errors)
        self._tell_who_waits(message, NotRegistered(name))
        if self.event_dispatcher:
            self.event_dispatcher.send("task-failed", uuid=id_, exception=f"NotRegistered({name!r})")
        signals.task_unknown.send(sender=self, message=message, exc=exc, name=name, id=id_)

    def _reject(self, message: Any, why: Rejection, error: Exception | None = None, keep: bool = False) -> None:
        self._store(message, why, keep_existing=keep)
        message.reject_log_error(logger, self.connection_errors)
        self._tell_who_waits(message, TaskError(f"its message was rejected, {why.kind}: {why.reason}"))
        signals.task_rejected.send(sender=self, message=message, exc=error)

    def _tell_who_waits(self, message: Any, error: Exception) -> None:
        """Store the failure as the result, for the caller, what follows in a chain, and a chord."""
        if (request := request_of(message)) is None:
            return
        try:
            backend = self.app.backend
            if backend.get_state(request.id) in READY_STATES:
                return  # that of a run
            backend.mark_as_failure(request.id, error, request=request, call_errbacks=False)
            if request.group and not request.chord:  # its body cannot be read: another of the header may know the chord
                backend.on_chord_part_return(request, FAILURE, error)
        except Exception as failure:  # noqa: BLE001 - a result backend that is away does not end the worker
            logger.error("not all who wait for the rejected %s[%s] were told: %s", request.task, request.id, failure)

    def _store(self, message: Any, rejection: Rejection, keep_existing: bool = False) -> None:
        entry = build.of_message(self.app, message, rejection.kind, rejection.reason, self.hostname)
        told = {"kind": rejection.kind, "task": entry.task, "task_id": entry.id}
        logger.error("a message was rejected: %s", rejection.reason, extra=told)
        self.app.dead_letters.add(entry, keep_existing=keep_existing)

    def _reject_bytes(self, item: bytes, queue: str, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        logger.error("an item that is not a message was taken out of the queue %s: %s", queue, reason)
        self.app.dead_letters.add(build.of_bytes(item, queue, reason, self.hostname))
