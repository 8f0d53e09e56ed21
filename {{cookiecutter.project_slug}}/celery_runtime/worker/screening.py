"""What a worker cannot run, nor any other: it becomes a dead letter before the message is given up.

Celery would log the message, arguments and all, and drop it.
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
from celery_runtime.worker.message_schema import Problem, problem_of

logger = get_logger(__name__)

DEFAULT_REQUEST = "celery.worker.request:Request"
REQUEST = "celery_runtime.worker.request:Request"


class RejectingConsumer(consumer.Consumer):
    """Checks each message before Celery reads it."""

    app: Any  # the stubs of Celery know neither our app nor these
    connection_errors: Any
    controller: Any
    event_dispatcher: Any

    def connect(self) -> Any:
        connection: Any = super().connect()
        connection.transport.on_unreadable = self._bury_bytes  # read by redis_transport.py alone
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
            if problem := problem_of(message):
                self._turn_away(message, problem)
            else:
                self.outlive(message, self._handle, handle, message)

        return on_task_received

    def _handle(self, handle: Callable[[Any], None], message: Any) -> None:
        self.before_task(message)
        handle(message)

    def outlive(self, message: Any, act: Callable[..., None], *args: Any) -> None:
        """Act on a message; turn it away where that raises what would end the worker, again and again."""
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
                problem = Problem(kinds.MALFORMED, f"{type(error).__name__}: {error}")
                self._turn_away(message, problem, error, keep_existing=True)

    def _is_of_connection(self, error: Exception) -> bool:
        # On Redis, kombu counts a KeyError among them: the worker would reconnect for ever.
        if isinstance(error, KeyError):
            return False
        return isinstance(error, (MemoryError, *self.connection_errors))

    def before_task(self, message: Any) -> None:
        """Called with each message that is a task, before Celery reads it."""

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        # Compression that cannot be undone: what else cannot be decoded is turned away before.
        self._turn_away(message, Problem(kinds.UNDECODABLE, f"{type(exc).__name__}: {exc}"), exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._turn_away(message, Problem(kinds.MALFORMED, str(exc)), exc)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        headers = message.headers if "task" in message.headers else message.payload
        name, id_ = headers["task"], headers["id"]
        self._bury(message, Problem(kinds.UNKNOWN_TASK, f"no task file of this worker has {name}"))
        message.reject_log_error(logger, self.connection_errors)
        try:
            # So that whoever waits for the result is told.
            self.app.backend.mark_as_failure(id_, NotRegistered(name), request=Context(id=id_, task=name))
        except Exception as error:  # noqa: BLE001 - a result backend that is away does not end the worker
            logger.error("the result of the unknown task %s[%s] was not stored: %s", name, id_, error)
        if self.event_dispatcher:
            self.event_dispatcher.send("task-failed", uuid=id_, exception=f"NotRegistered({name!r})")
        signals.task_unknown.send(sender=self, message=message, exc=exc, name=name, id=id_)

    def _turn_away(
        self, message: Any, problem: Problem, error: Exception | None = None, *, keep_existing: bool = False
    ) -> None:
        self._bury(message, problem, keep_existing=keep_existing)
        message.reject_log_error(logger, self.connection_errors)
        signals.task_rejected.send(sender=self, message=message, exc=error)

    def _bury(self, message: Any, problem: Problem, *, keep_existing: bool = False) -> None:
        entry = build.of_message(self.app, message, problem.kind, problem.text, self.hostname)
        logger.error("a message was turned away: %s", problem.text, extra={"kind": problem.kind})
        # A pool without processes may have recorded the task's own error, which knows the cause better.
        self.app.dead_letters.add(entry, keep_existing=keep_existing)

    def _bury_bytes(self, item: bytes, queue: str, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}"
        logger.error("what is no message was taken out of the queue %s: %s", queue, problem)
        self.app.dead_letters.add(build.of_bytes(item, queue, problem, self.hostname))
