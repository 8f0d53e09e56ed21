"""Decide about each message: reject it, return it to its queue, hold it until its time, or hand it to the pool.

Runs in: worker main process. Celery would log a message that no worker can run, arguments and all, and drop it, or end
on it: here it becomes a dead letter. Celery would reject one that is for other workers of the project: here it returns.

Celery holds a message with a countdown or an ETA unacked until it is due. Redis redelivers what is held longer than its
visibility timeout, and RabbitMQ closes the channel of a consumer at its consumer_timeout. So a long delay is made of
hops: the message is requeued in time, for whichever worker is next; no task runs for that, and its ETA stays. What has
become due is requeued as well, instead of joining the pool's own line: it then runs in order of priority.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import signals
from celery.app.task import Context
from celery.exceptions import NotRegistered
from celery.utils.log import get_logger
from celery.utils.time import maybe_make_aware
from celery.worker import state

from celery_runtime import kinds
from celery_runtime.brokers import urls
from celery_runtime.brokers.redis import refuses_for_now
from celery_runtime.dead_letters import build
from celery_runtime.worker.connection_loss import ReconnectingConsumer
from celery_runtime.worker.message_schema import Rejection, check
from celery_runtime.worker.quarantine import Quarantine

logger = get_logger(__name__)

RETURN_AFTER = 1.0  # seconds; at once, a worker would toss a message to and fro in a busy loop


class Consumer(ReconnectingConsumer):
    """Rejects messages that would crash a worker, and stores each as a dead letter first; requeues others."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._named_left_out: set[str] = set()
        self._quarantine = Quarantine(self)
        self.on_task_request = self._quarantine.handle
        # Half of what the broker allows: the messages that are due wait for a process as well.
        self._longest_hop = urls.longest_hold(self.app.conf) / 2

    def connect(self) -> Any:
        connection = super().connect()
        connection.transport.on_unreadable = self._reject_bytes  # read by redis_transport.py alone
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

    def update_strategies(self) -> None:
        for task in self.app.tasks.values():
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
                self._shorten_delay(message)
                handle(message)

        return on_task_received

    def _shorten_delay(self, message: Any) -> None:
        """Lower the ETA of a message that is due later than this worker may hold it, to when the worker requeues it.

        One that is due loses its ETA, so that it runs now. The broker keeps its own copy, as it was published.
        """
        headers = message.headers
        message.was_delayed = False  # read by request.py
        if not headers.get("eta"):
            return
        with suppress(OverflowError, ValueError):  # Celery rejects it
            eta = maybe_make_aware(datetime.fromisoformat(headers["eta"]), self.app.timezone)
            now = datetime.now(UTC)
            message.was_delayed = eta <= now
            headers["eta"] = None if eta <= now else min(eta, now + timedelta(seconds=self._longest_hop)).isoformat()

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

    def apply_eta_task(self, request: Any) -> None:
        with self._guarding(request.message):
            if not request.message.headers.get("eta"):  # a message of Celery 3 has it in its body
                super().apply_eta_task(request)
            elif request.revoked():
                self.qos.decrement_eventually()  # no other worker would run it either
            else:
                state.task_ready(request)
                self._in_loop(self._if_connected, self.qos, self._return, request.message)

    def _limit_post_eta(self, request: Any, _bucket: Any, _tokens: int) -> None:
        # A private hook of Celery 5.7: tasks with a rate limit come here instead.
        self.apply_eta_task(request)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        # Compression that cannot be undone; the check has rejected whatever else cannot be decoded.
        self._reject(message, Rejection(kinds.UNDECODABLE, f"{type(exc).__name__}: {exc}"), exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._reject(message, Rejection(kinds.MALFORMED, str(exc)), exc)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        headers = message.headers if "task" in message.headers else message.payload
        name, id_ = headers["task"], headers["id"]
        if self.app.task_modules.owns_left_out(name):
            if name not in self._named_left_out:
                self._named_left_out.add(name)
                logger.warning("%s is not selected in this worker: its messages return to the queue", name)
            # A message that is held must not count against the prefetch limit, or the worker stands still.
            self.qos.increment_eventually()
            self.return_later(self._return, message)
            return
        self._store(message, Rejection(kinds.UNKNOWN_TASK, f"no task file of this worker has {name}"))
        message.reject_log_error(logger, self.connection_errors)
        try:
            # A caller that waits for the result learns of it.
            self.app.backend.mark_as_failure(id_, NotRegistered(name), request=Context(id=id_, task=name))
        except Exception as error:  # noqa: BLE001 - a result backend that is away does not end the worker
            logger.error("the result of the unknown task %s[%s] was not stored: %s", name, id_, error)
        if self.event_dispatcher:
            self.event_dispatcher.send("task-failed", uuid=id_, exception=f"NotRegistered({name!r})")
        signals.task_unknown.send(sender=self, message=message, exc=exc, name=name, id=id_)

    def return_later(self, give_back: Callable[..., None], *args: Any) -> None:
        """Have a message given back to its queue in a while, if the connection by which it came is still there."""
        self.timer.call_after(RETURN_AFTER, self._in_loop, (self._if_connected, self.qos, give_back, *args))

    def _in_loop(self, act: Callable[..., None], *args: Any) -> None:
        """Act for a timer, which may have a thread of its own, in the thread that may use the connection."""
        if self.hub:
            act(*args)
        else:
            self.call_soon(act, *args)

    def _if_connected(self, qos: Any, give_back: Callable[..., None], *args: Any) -> None:
        if qos is self.qos:  # else its connection is gone, and the message may be another worker's by now
            give_back(*args)

    def _return(self, message: Any) -> None:
        self.qos.decrement_eventually()
        self.qos.update()  # or this worker would take it back at once, into its own line
        message.reject_log_error(logger, self.connection_errors, requeue=True)

    def _reject(self, message: Any, why: Rejection, error: Exception | None = None, keep: bool = False) -> None:
        self._store(message, why, keep_existing=keep)
        message.reject_log_error(logger, self.connection_errors)
        signals.task_rejected.send(sender=self, message=message, exc=error)

    def _store(self, message: Any, rejection: Rejection, keep_existing: bool = False) -> None:
        entry = build.of_message(self.app, message, rejection.kind, rejection.reason, self.hostname)
        logger.error("a message was rejected: %s", rejection.reason, extra={"kind": rejection.kind})
        self.app.dead_letters.add(entry, keep_existing=keep_existing)

    def _reject_bytes(self, item: bytes, queue: str, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        logger.error("an item that is not a message was taken out of the queue %s: %s", queue, reason)
        self.app.dead_letters.add(build.of_bytes(item, queue, reason, self.hostname))
