"""Redis and RabbitMQ behind one interface. `broker_of(app)` returns that of an app, told by its URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Depth:
    """How many messages wait in a queue.

    Attributes:
        by_priority: a count for each of 0 to 9; None where only the sum is known.
    """

    queue: str
    total: int
    by_priority: Mapping[int, int] | None


class BrokerError(ConnectionError):
    """The broker cannot be reached, or refuses what is asked of it."""


class Broker(Protocol):
    """What the library asks of a broker beside Celery. Every method may raise `BrokerError`.

    Crash notes tell how often a worker crashed while it ran a task. They are on the broker, because the worker is
    gone. `redelivered` is not enough: deploys and broker restarts redeliver too. So a worker writes a note before a
    suspicious run, and deletes all notes of the task after it, however the run ends; notes that remain are crashes.
    """

    def depth(self, queue: str) -> Depth:
        """Return how many messages wait. A queue that the broker does not know yet is empty."""

    def count_crashes(self, task_id: str) -> int:
        """Return how many noted runs have no known end."""

    def note_run(self, task_id: str) -> None:
        """Note that a run begins. Its task's crashes were counted just before."""

    def forget_runs(self, task_id: str) -> None:
        """Delete all notes: the task has ended, or runs again as another message."""


def broker_of(app: Any) -> Broker:
    """Return the broker to which the app publishes."""
    from celery_runtime.brokers import urls  # which imports `embedded`, and that is run by `python -m` as well

    if urls.is_rabbitmq(app.conf.broker_write_url or app.conf.broker_url):
        from celery_runtime.brokers.rabbitmq import RabbitMQ

        return RabbitMQ(app)
    from celery_runtime.brokers.redis import Redis

    return Redis(app)
