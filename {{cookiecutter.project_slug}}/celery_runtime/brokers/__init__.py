"""Redis and RabbitMQ behind one interface. `broker_of(app)` returns that of an app, told by its URL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

# Every name on a broker that is this library's own. On Redis each stands behind the `global_keyprefix` of the app,
# "shop:", beside kombu's: the lists of the queues (queue, separator, priority), `unacked` and `unacked_index`. On
# RabbitMQ each stands behind "shop.", as every queue and exchange of the app does (rabbitmq_names.py).
CRASH_NOTES = "lost-runs"  # Redis: number `lost-runs:TASK_ID`. RabbitMQ: queue `lost-runs.HASH`
DELAYED = "delayed"  # Redis: sorted set. RabbitMQ: exchanges and queues `delayed.LANE.LEVEL`
DUE = "due"  # RabbitMQ: exchange, and queues `due.EXCHANGE:ROUTING_KEY`
DEAD_LETTERS = "dead-letters"  # Redis: hash, and sorted set `dead-letters:by-time`. RabbitMQ: queue `dead-letters`
TOKENS = "tokens"  # Redis: queue, separator, `tokens`: a list with a token for each new message
WRITE_CHECK = "takes-writes"  # Redis: a key that is gone after a second
OWN = (CRASH_NOTES, DELAYED, DUE, DEAD_LETTERS)  # no queue of a user has such a name, or one that begins so
NOTES_KEPT = 7 * 24 * 60 * 60  # seconds from the last run of a task to the end of its crash notes


@dataclass(frozen=True)
class Depth:
    """How many messages wait in a queue."""

    queue: str
    total: int
    by_priority: Mapping[int, int] | None  # a count for each of 0 to 9; None where only the sum is known


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

    def count_delayed(self) -> int:
        """Return how many messages wait for their time."""

    def deliver_later(self, message: Any, seconds: float) -> None:
        """Publish a copy of a message that a worker has, to be delivered when these have passed.

        The worker then acknowledges the message. On Redis it is gone already, in one step with the copy. What the
        channel of the message raises comes as it is.
        """

    def check_rights(self) -> None:
        """Have the broker refuse now what a worker needs only when a task fails or is delayed."""

    def count_crashes(self, task_id: str) -> int:
        """Return how many noted runs have no known end."""

    def note_run(self, task_id: str) -> None:
        """Note that a run begins. Its task's crashes were counted just before."""

    def forget_runs(self, task_id: str) -> None:
        """Delete all notes: the task has ended, or runs again as another message."""


class WorkerChannel:
    """The methods that a worker calls on the channel by which it consumes, and that kombu's channels do not have.

    These do nothing: RabbitMQ requeues at once all that a lost connection held. Redis does not, and overrides them.
    `unacknowledged` has the delivery tags of tasks that have ended, of which the broker could not be told.
    """

    unacknowledged: frozenset[str] = frozenset()

    def acknowledge(self, delivery_tag: str) -> None:
        """Acknowledge a message of a closed channel."""

    def check_writes(self) -> None:
        """Raise what the broker answers to a write that needs room."""

    def renew(self, delivery_tags: Iterable[str]) -> None:
        """Begin the visibility timeout of these messages anew, unless they were redelivered already."""

    def let_go(self, delivery_tag: str) -> None:
        """Do not requeue this message when the channel closes: its task still runs."""

    def adopt(self, message: Any) -> None:
        """Take over a message that a closed channel has let go: this channel acknowledges it."""

    def held(self) -> list[str]:
        """Return the delivery tags of the messages that are requeued when the channel closes."""
        return []

    def requeue_held(self) -> None:
        """Requeue them now."""

    def give_back(self, delivery_tag: str, since: float) -> None:
        """Requeue a message of a closed channel, unless it was redelivered since then (`time.monotonic()`)."""


def broker_of(app: Any) -> Broker:
    """Return the broker to which the app publishes."""
    # Not at the top, because they import `embedded`, and that is run by `python -m` as well.
    from celery_runtime.brokers import rabbitmq, redis, urls

    is_rabbitmq = urls.is_rabbitmq(app.conf.broker_write_url or app.conf.broker_url)
    return rabbitmq.RabbitMQ(app) if is_rabbitmq else redis.Redis(app)
