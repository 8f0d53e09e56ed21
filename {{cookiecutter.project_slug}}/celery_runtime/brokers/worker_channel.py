"""What a worker asks of the channel by which it consumes, beside what kombu's channels do.

Runs in: worker main process.
"""

from typing import Any


class WorkerChannel:
    """Do nothing: RabbitMQ requeues at once all that a lost connection held. Redis does not, and overrides it.

    Attributes:
        unacknowledged: delivery tags of tasks that have ended, of which the broker could not be told.
    """

    unacknowledged: frozenset[str] = frozenset()

    def acknowledge(self, delivery_tag: str) -> None:
        """Acknowledge a message of a closed channel."""

    def check_writes(self) -> None:
        """Raise what the broker answers to a write that needs room."""

    def renew(self, delivery_tag: str) -> None:
        """Begin the visibility timeout of a message anew, unless it was redelivered already."""

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
        """Requeue a message of a closed channel, unless it was redelivered since then (seconds since the epoch)."""
