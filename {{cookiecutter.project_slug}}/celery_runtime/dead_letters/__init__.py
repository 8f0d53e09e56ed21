"""Dead letters: every final failure is kept, can be seen, and can be run again.

`app.dead_letters` has what the command `celery -A … dead-letters` does:

    app.dead_letters.find(kind="network", limit=50)
    app.dead_letters.requeue(kind="network", rate=10)
    app.dead_letters.purge(older_than=30 * 24 * 60 * 60)
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from kombu.utils.imports import symbol_by_name

from celery_runtime.brokers import urls
from celery_runtime.dead_letters import redaction
from celery_runtime.dead_letters.filter import Selection
from celery_runtime.dead_letters.model import DeadLetter
from celery_runtime.dead_letters.requeue import obstacle, publish
from celery_runtime.dead_letters.store import Bounds, Store, StoreBusy, StoreError
from celery_runtime.environment import ConfigurationError
from celery_runtime.text import message_of

__all__ = ["DeadLetter", "DeadLetters", "Requeued", "Selection", "StoreBusy", "StoreError"]

logger = logging.getLogger(__name__)

DAY = 24 * 60 * 60.0
# Seconds. RabbitMQ takes back, with an error, what a reader holds for 30 minutes, and leaves one that takes nothing
# for half a minute, as one that keeps to a rate may.
LONGEST_READING = 10 * 60.0
LONGEST_SLOW_READING = 10.0


@dataclass
class Requeued:
    """What `requeue` did.

    Attributes:
        ids: of the tasks that are in their queues again.
        refused: for each id that stays, the reason.
    """

    ids: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class DeadLetters:
    """The dead letters of one app, kept on its broker. Every method but `keep` may raise `StoreError`."""

    def __init__(self, app: Any) -> None:
        self.app = app

    @cached_property
    def store(self) -> Store:
        url = self.app.conf.broker_write_url or self.app.conf.broker_url
        if urls.is_rabbitmq(url):
            from celery_runtime.dead_letters.rabbitmq import RabbitMQStore

            return RabbitMQStore(self.app)
        from celery_runtime.dead_letters.redis import RedisStore

        return RedisStore(self.app)

    @property
    def bounds(self) -> Bounds:
        conf = self.app.conf
        return Bounds(conf.get("dead_letter_retention", 30 * DAY), conf.get("dead_letter_maximum", 100_000))

    @property
    def most_requeues(self) -> int:
        return int(self.app.conf.get("dead_letter_most_requeues", 3))

    @cached_property
    def redact(self) -> redaction.Redact:
        """The function that says what may be seen of an argument.

        Raises:
            ConfigurationError: the setting names none.
        """
        named = self.app.conf.get("dead_letter_redact") or redaction.mask_secrets
        try:
            found: Any = symbol_by_name(named) if isinstance(named, str) else named
        except (AttributeError, ImportError, ValueError) as error:
            problem = f"the setting dead_letter_redact names {named!r}, which cannot be imported ({error})"
            raise ConfigurationError(problem, 'Name a function, such as "shop.privacy:redact".') from None
        return found

    def shown(self, entry: DeadLetter) -> dict[str, Any]:
        """Return what may be seen of an entry: its arguments have passed the redaction."""
        return redaction.shown(entry, self.redact)

    def keep(self, entry: DeadLetter, *, keep_existing: bool = False) -> None:
        """Keep an entry; where the store does not take it, write it to the log. It never raises."""
        try:
            self.store.add(entry, self.bounds, keep_existing=keep_existing)
            logger.info("kept as a dead letter: %s[%s] %s", entry.task, entry.id, entry.kind)
        except Exception as error:  # noqa: BLE001 - a worker must outlive its store
            what = f"{type(error).__name__}: {message_of(error)}"
            told = {"dead_letter": _AsJSON(self.shown(entry))}
            logger.error("the store did not take this dead letter (%s)", what, extra=told)

    def find(
        self,
        *ids: str,
        kind: str | None = None,
        task: str | None = None,
        older_than: float | None = None,
        limit: int | None = None,
    ) -> list[DeadLetter]:
        """Return the entries that fit all that is stated, newest first. See `Selection`."""
        with self.store.open() as reading:
            return reading.newest(Selection(ids, kind, task, older_than), limit)

    def get(self, id: str) -> DeadLetter | None:
        """Return the entry of a task, None where there is none."""
        return next(iter(self.find(id)), None)

    def count(
        self, *, kind: str | None = None, task: str | None = None, older_than: float | None = None
    ) -> "Counter[str]":
        """Return how many entries there are of each kind."""
        with self.store.open() as reading:
            return reading.count(Selection((), kind, task, older_than))

    def requeue(
        self,
        *ids: str,
        kind: str | None = None,
        task: str | None = None,
        older_than: float | None = None,
        all: bool = False,
        limit: int | None = None,
        rate: float | None = None,
        force: bool = False,
        on_each: Callable[[str], None] = lambda id: None,
    ) -> Requeued:
        """Put the tasks of entries back into their queues, oldest first, with their ids and priorities.

        Each is published and removed in one step: a crash leaves it in one place, never in none. Its counters begin
        anew, and its result is forgotten until it has run.

        Args:
            all: every entry; must be stated where nothing else is.
            limit: at most so many.
            rate: at most so many a second.
            force: also those that have come back `dead_letter_most_requeues` times.
            on_each: is called with the id of each that was dealt with.

        Raises:
            ValueError: neither `all` nor anything else is stated.
        """
        selection = _stated(ids, kind, task, older_than, all)
        done = Requeued()

        def requeue(reading: Any, held: Any) -> bool:
            entry = held.load()
            reason = obstacle(self.app, entry, None if force else self.most_requeues)
            if reason is None:
                if not reading.requeue(held, lambda producer: publish(self.app, entry, producer)):
                    return False
                done.ids.append(entry.id)
            else:
                done.refused[entry.id] = reason
            on_each(entry.id)
            return reason is None

        self._each(selection, requeue, limit, 1 / rate if rate else 0.0)
        return done

    def purge(
        self,
        *ids: str,
        kind: str | None = None,
        task: str | None = None,
        older_than: float | None = None,
        all: bool = False,
        limit: int | None = None,
        on_each: Callable[[str], None] = lambda id: None,
    ) -> list[str]:
        """Remove entries for good, oldest first; return their ids. The arguments are those of `requeue`."""
        removed: list[str] = []

        def remove(reading: Any, held: Any) -> bool:
            if not reading.remove(held):
                return False
            removed.append(held.summary.id)
            on_each(held.summary.id)
            return True

        self._each(_stated(ids, kind, task, older_than, all), remove, limit)
        return removed

    def _each(
        self, selection: Selection, act: Callable[[Any, Any], bool], limit: int | None, pause: float = 0.0
    ) -> None:
        """Act on each entry that fits, up to `limit` times that it was of use, with a pause after each of these."""
        seen: set[str] = set()  # what fails again meanwhile is not taken a second time
        started = datetime.now(UTC)
        acted, finished = 0, False
        longest = LONGEST_SLOW_READING if pause else LONGEST_READING
        while not finished:
            opened, reopened = time.monotonic(), bool(seen)
            try:
                with self.store.open() as reading:
                    finished = True
                    for held in reading.find(selection):
                        if acted == limit:
                            break
                        if held.summary.id in seen or (reopened and held.summary.last_failure > started):
                            continue
                        seen.add(held.summary.id)
                        if not act(reading, held):
                            continue
                        acted += 1
                        if time.monotonic() - opened + pause > longest:
                            finished = False
                            break
                        time.sleep(pause)
            except StoreError as error:
                error.done = acted
                raise
            except KeyboardInterrupt as error:
                raise KeyboardInterrupt(f"{acted} were dealt with before") from error
            if not finished:
                time.sleep(pause)


class _AsJSON(dict[str, Any]):
    """Is JSON also where a log line for people tells a value by its repr."""

    def __repr__(self) -> str:
        return json.dumps(self, ensure_ascii=False)


def _stated(
    ids: tuple[str, ...], kind: str | None, task: str | None, older_than: float | None, all: bool
) -> Selection:
    selection = Selection(ids, kind, task, older_than)
    if selection.is_everything() and not all:
        raise ValueError("state ids, kind, task or older_than, or all=True for every dead letter")
    return selection
