"""The worker's consumer: a message for a module that this worker leaves out goes back to its queue."""

from typing import Any

from celery.utils.log import get_logger
from celery.worker import consumer

logger = get_logger(__name__)

GIVE_BACK_AFTER = 1.0  # seconds; at once, two workers would toss a message to and fro in a busy loop


class Consumer(consumer.Consumer):
    """Gives back what other workers of the project are to run; Celery would reject it as unknown."""

    app: Any  # the stubs of Celery know neither our app nor these two
    qos: Any
    connection_errors: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._named_left_out: set[str] = set()

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        name = (message.headers or {}).get("task") or message.payload["task"]
        if not self.app.task_modules.owns_left_out(name):
            return super().on_unknown_task(body, message, exc)
        if name not in self._named_left_out:
            self._named_left_out.add(name)
            logger.warning("%s is not selected in this worker: its messages go back to the queue", name)
        # What is held back must not count against the prefetch limit, or the worker stands still.
        self.qos.increment_eventually()
        self.timer.call_after(GIVE_BACK_AFTER, self._give_back, (message, self.qos))

    def _give_back(self, message: Any, qos: Any) -> None:
        message.reject_log_error(logger, self.connection_errors, requeue=True)
        if qos is self.qos:  # after a reconnect there is a new limit, which was never raised
            qos.decrement_eventually()
