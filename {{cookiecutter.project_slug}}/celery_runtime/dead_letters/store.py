"""What a store of dead letters does. There is one for each broker, on the broker itself."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from kombu import Producer

from celery_runtime.dead_letters.filter import Selection
from celery_runtime.dead_letters.model import DeadLetter, Summary

# Publishes an entry's task by the producer that is given.
Publish = Callable[[Producer], None]


class StoreError(ConnectionError):
    """The store cannot be reached, or refuses what is asked of it.

    Attributes:
        done: how many entries were requeued or removed before.
    """

    done = 0


class StoreBusy(StoreError):
    """Somebody else reads the store, which on RabbitMQ only one can at a time."""


class Held(NamedTuple):
    """An entry while its store is open. `token` means something to the store alone."""

    summary: Summary
    load: Callable[[], DeadLetter]
    token: Any


class Bounds(NamedTuple):
    """How long entries are kept, in seconds, and how many. The oldest go first."""

    retention: float
    maximum: int


class Reading(Protocol):
    """An open store. What is added to it meanwhile may be seen or not."""

    def find(self, selection: Selection) -> Iterator[Held]:
        """Yield the entries that fit, oldest first, each id once."""

    def newest(self, selection: Selection, limit: int | None) -> list[DeadLetter]:
        """Return the entries that fit, newest first."""

    def count(self, selection: Selection) -> "Counter[str]":
        """Return how many entries fit, by kind."""

    def requeue(self, held: Held, publish: Publish) -> bool:
        """Publish the entry's task and remove the entry, both or neither. False: it was gone, or has changed."""

    def remove(self, held: Held) -> bool:
        """Remove the entry. False: it was gone, or has changed."""


class Store(Protocol):
    """Where dead letters are kept. Every method raises `StoreError` where the server cannot do it."""

    def add(self, entry: DeadLetter, bounds: Bounds, *, keep_existing: bool = False) -> None:
        """Keep an entry in place of an older one of its id, and trim what is out of bounds.

        With `keep_existing` the older one stays instead: it knows the cause better.
        """

    def open(self) -> AbstractContextManager[Reading]:
        """Open the store to be read.

        Raises:
            StoreBusy: on RabbitMQ, another one reads it.
        """
