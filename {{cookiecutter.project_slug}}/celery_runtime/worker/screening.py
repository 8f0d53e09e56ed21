"""Reject messages that no worker could run, and store each as a dead letter first.

Runs in: worker main process. Celery would log such a message, arguments and all, and drop it, or end on it.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery import signals
from celery.app.task import Context
from celery.exceptions import NotRegistered
from celery.utils.log import get_logger
from celery.worker import consumer

from celery_runtime import kinds
from celery_runtime.dead_letters import build
from celery_runtime.worker.message_schema import Rejection, check

logger = get_logger(__name__)

DEFAULT_REQUEST = "celery.worker.request:Request"
REQUEST = "celery_runtime.worker.request:Request"


class ScreeningConsumer(consumer.Consumer):
    """Checks each message before Celery reads it."""

    def connect(self) -> Any:
        connection = super().connect()
        connection.transport.on_unreadable = self._reject_bytes  # read by redis_transport.py alone
        return connection

    def update_strategies(self) -> None:
        for task in self.app.tasks.values():
            if task.Request == DEFAULT_REQUEST:
                task.Request = REQUEST
            if task.acks_late:
                # Celery would run it again without a bound, or count otherwise. The policy does it instead.
                task.reject_on_worker_lost = task.retry_on_worker_lost = False
        super().update_strategies()

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        handle = super().create_task_handler(*args, **options)

        def on_task_received(message: Any) -> None:
            try:
                check(message)
            except Rejection as rejection:
                self._reject(message, rejection)
            else:
                self.outlive(message, self.on_valid_message, handle, message)

        return on_task_received

    def on_valid_message(self, handle: Callable[[Any], None], message: Any) -> None:
        """Have Celery handle a message that has passed the check."""
        handle(message)

    def outlive(self, message: Any, act: Callable[..., None], *args: Any) -> None:
        """Act on a message; reject it where that raises what would end the worker, again and again."""
        slots = self.controller.semaphore
        free = slots.value if slots else 0
        try:
            act(*args)
        except Exception as error:
            if self._is_of_connection(error):
                raise
            with suppress(Exception):  # it may be one that no traceback can be made of
                logger.exception("a message would have ended the worker")
            if slots and slots.value < free:  # taken for it, and it does not run
                slots.release()
            if not message.acknowledged:
                rejection = Rejection(kinds.MALFORMED, f"{type(error).__name__}: {error}")
                # A pool without processes may have stored the task's own error, which knows the cause better.
                self._reject(message, rejection, error, keep_existing=True)

    def _is_of_connection(self, error: Exception) -> bool:
        # On Redis, kombu counts a KeyError among them: the worker would reconnect for ever.
        if isinstance(error, KeyError):
            return False
        return isinstance(error, (MemoryError, *self.connection_errors))

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        # Compression that cannot be undone; the check has rejected whatever else cannot be decoded.
        self._reject(message, Rejection(kinds.UNDECODABLE, f"{type(exc).__name__}: {exc}"), exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._reject(message, Rejection(kinds.MALFORMED, str(exc)), exc)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        headers = message.headers if "task" in message.headers else message.payload
        name, id_ = headers["task"], headers["id"]
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

    def _reject(
        self, message: Any, why: Rejection, error: Exception | None = None, keep_existing: bool = False
    ) -> None:
        self._store(message, why, keep_existing)
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
