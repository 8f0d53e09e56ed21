"""The worker's consumer: what it is not to run, or not yet, goes back; what nobody can run becomes a dead letter."""

from collections.abc import Callable
from typing import Any

from celery.utils.log import get_logger
from celery.worker import consumer, state

from . import delays
from .dead_letters import record
from .malformed import Problem, problem_of

logger = get_logger(__name__)

DEFAULT_REQUEST = "celery.worker.request:Request"
REQUEST = f"{__name__.rpartition('.')[0]}.request:Request"
GIVE_BACK_AFTER = 1.0  # seconds; at once, two workers would toss a message to and fro in a busy loop


class Consumer(consumer.Consumer):
    """Gives back what other workers of the project are to run, and what was held until its time.

    Celery would reject the first as unknown, and hold the second longer than brokers allow. What is no task, or
    of none that is known, Celery drops, and on some of it the worker would end.
    """

    app: Any  # the stubs of Celery know neither our app nor these
    hub: Any
    qos: Any
    connection_errors: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._named_left_out: set[str] = set()
        conf = self.app.conf
        self._longest_hop = delays.longest_hop(conf.broker_read_url, conf.broker_transport_options)

    def connect(self) -> Any:
        connection: Any = super().connect()
        connection.transport.on_unreadable = self._bury_bytes  # read by redis_transport.py alone
        return connection

    def update_strategies(self) -> None:
        for task in self.app.tasks.values():
            if task.Request == DEFAULT_REQUEST:
                task.Request = REQUEST
        super().update_strategies()

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        handle = super().create_task_handler(*args, **options)

        def on_task_received(message: Any) -> None:
            if problem := problem_of(message):
                self._bury(message, problem)
                message.reject_log_error(logger, self.connection_errors)
                return
            delays.shorten(message, self._longest_hop, self.app.timezone)
            handle(message)

        return on_task_received

    def apply_eta_task(self, request: Any) -> None:
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
        name = (message.headers or {}).get("task") or message.payload["task"]
        if not self.app.task_modules.owns_left_out(name):
            self._bury(message, Problem(record.UNKNOWN_TASK, f"no task file of this worker has {name}"))
            return super().on_unknown_task(body, message, exc)
        if name not in self._named_left_out:
            self._named_left_out.add(name)
            logger.warning("%s is not selected in this worker: its messages go back to the queue", name)
        # What is held back must not count against the prefetch limit, or the worker stands still.
        self.qos.increment_eventually()
        self.timer.call_after(GIVE_BACK_AFTER, self._give_back_soon, (message, self.qos))

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        # Compression that cannot be undone: what else cannot be decoded is turned away before.
        self._bury(message, Problem(record.UNDECODABLE, f"{type(exc).__name__}: {exc}"))
        super().on_decode_error(message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._bury(message, Problem(record.MALFORMED, str(exc)))
        super().on_invalid_task(body, message, exc)

    def _bury(self, message: Any, problem: Problem) -> None:
        entry = record.of_message(self.app, message, problem.kind, problem.text, self.hostname)
        logger.error("a message was turned away: %s", problem.text)
        self.app.dead_letters.keep(entry)

    def _bury_bytes(self, item: bytes, queue: str, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}"
        logger.error("what is no message was taken out of the queue %s: %s", queue, problem)
        self.app.dead_letters.keep(record.of_bytes(item, queue, problem, self.hostname))

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
