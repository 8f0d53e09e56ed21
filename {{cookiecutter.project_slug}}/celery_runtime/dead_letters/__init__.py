"""Store every final failure as a dead letter, to be seen and to be run again.

`app.dead_letters` has what the command `celery -A … dead-letters` does:

    app.dead_letters.find(kind="network", limit=50)
    app.dead_letters.requeue(kind="network", rate=10)
    app.dead_letters.purge(older_than=30 * 24 * 60 * 60)

Each failure has one author. An older entry of its task is replaced, or stays because it knows the cause:

    author                             failure                                          older entry
    task process    retry/task.py      an error that the policy gives up                replaced
                    recorder.py, by    a result that cannot be stored                   replaced
                    Celery's signals   an error of a task with a base of its own        replaced
    worker's main   request.py         hard time limit, `Reject`, crashed runs          replaced
    process                            an error that its process may not have stored    stays
                    consumer.py        a malformed message, an unknown task             replaced
                                       a message that would have ended the worker       stays
                                       bytes that are not a message                     has a new id
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from kombu.utils.imports import symbol_by_name

from celery_runtime.brokers import urls
from celery_runtime.dead_letters import model, redaction
from celery_runtime.dead_letters.model import DeadLetter, DeadLetterFilter, StoreBusy, StoreError
from celery_runtime.dead_letters.rabbitmq import RabbitMQStore
from celery_runtime.dead_letters.redis import RedisStore
from celery_runtime.dead_letters.requeue import obstacle, publish
from celery_runtime.environment import ConfigurationError
from celery_runtime.text import message_of

__all__ = ["DeadLetter", "DeadLetterFilter", "DeadLetters", "Requeued", "StoreBusy", "StoreError"]

logger = logging.getLogger(__name__)


@dataclass
class Requeued:
    """List what `requeue` did."""

    ids: list[str] = field(default_factory=list)  # of the tasks that are in their queues again
    refused: dict[str, str] = field(default_factory=dict)  # for each id that stays, the reason


class DeadLetters:
    """Manage the dead letters of one app. Every method but `add` may raise `StoreError`.

    The keyword arguments `kind`, `task` and `older_than` are those of `DeadLetterFilter`; any other is a `TypeError`.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    @cached_property
    def store(self) -> model.Store:
        url = self.app.conf.broker_write_url or self.app.conf.broker_url
        return RabbitMQStore(self.app) if urls.is_rabbitmq(url) else RedisStore(self.app)

    @cached_property
    def redact(self) -> redaction.Redact:
        """The function that masks arguments; a `ConfigurationError` where the setting names none."""
        named = self.app.conf.get("dead_letter_redact") or redaction.mask_secrets
        try:
            return symbol_by_name(named)
        except (AttributeError, ImportError, ValueError) as error:
            problem = f"the setting dead_letter_redact names {named!r}, which cannot be imported ({error})"
            raise ConfigurationError(problem, 'Name a function, such as "shop.privacy:redact".') from None

    def shown(self, entry: DeadLetter) -> dict[str, Any]:
        """Return an entry as people may see it, its secrets masked."""
        return redaction.shown(entry, self.redact)

    def short_name(self, task: str) -> str:
        """Return the name of a task as it is within the folder of task files."""
        return task.removeprefix(f"{self.app.task_modules.package}.")

    def add(self, entry: DeadLetter, *, keep_existing: bool = False) -> None:
        """Store an entry; where the store fails, write it to the log. It never raises."""
        try:
            self.store.add(entry, keep_existing=keep_existing)
            known = {"task": entry.task, "task_id": entry.id, "kind": entry.kind}
            logger.info("stored as a dead letter: %s[%s] %s", entry.task, entry.id, entry.kind, extra=known)
        except Exception as error:  # noqa: BLE001 - a worker must outlive its store
            reason = f"{type(error).__name__}: {message_of(error)}"
            extra = {"dead_letter": self.shown(entry)}
            logger.error("the store did not take this dead letter (%s)", reason, extra=extra)

    def find(self, *ids: str, limit: int | None = None, **chosen: Any) -> list[DeadLetter]:
        """Return the entries that fit all that is stated, newest first."""
        with self.store.open() as opened:
            return opened.newest(DeadLetterFilter(ids, **chosen), limit)

    def get(self, id: str) -> DeadLetter | None:
        """Return the entry of a task, None where there is none."""
        return next(iter(self.find(id)), None)

    def count(self, *ids: str, **chosen: Any) -> "Counter[str]":
        """Return how many entries there are of each kind."""
        with self.store.open() as opened:
            return opened.count(DeadLetterFilter(ids, **chosen))

    def requeue(self, *ids: str, rate: float | None = None, force: bool = False, **chosen: Any) -> Requeued:
        """Put the tasks of entries back into their queues, oldest first, with their ids and priorities.

        Each is published and removed in one step: a crash leaves it in one place, never in none. Its attempts
        are counted anew, and its old result is forgotten.

        Args:
            all: every entry. If neither that nor anything else is stated, that is a `ValueError`.
            limit: at most so many.
            rate: at most so many a second.
            force: also those that were requeued `dead_letter_most_requeues` times before.
            on_each: is called with the id of each that was requeued or refused.
        """

        def act(opened: model.OpenStore, stored: model.StoredEntry) -> str | bool:
            entry = stored.load()
            return obstacle(self.app, entry, force) or opened.take(stored, partial(publish, self.app, entry))

        return self._each(act, 1 / rate if rate else 0.0, *ids, **chosen)

    def purge(self, *ids: str, **chosen: Any) -> list[str]:
        """Remove entries for good, oldest first; return their ids. The arguments are those of `requeue`."""
        return self._each(lambda opened, stored: opened.take(stored), 0.0, *ids, **chosen).ids

    def _each(
        self,
        act: Callable[[model.OpenStore, model.StoredEntry], str | bool],
        pause: float,
        *ids: str,
        all: bool = False,
        limit: int | None = None,
        on_each: Callable[[str], object] = lambda id: None,
        **stated: Any,
    ) -> Requeued:
        """Act on entries until `limit` acts were of use. An act returns whether it was, or why the entry stays."""
        chosen = DeadLetterFilter(ids, **stated)
        if chosen == DeadLetterFilter() and not all:
            raise ValueError("state ids, kind, task or older_than, or all=True for every dead letter")
        done = Requeued()
        try:
            with self.store.open() as opened:
                for stored in opened.find(chosen):
                    if len(done.ids) == limit:
                        break
                    result, id = act(opened, stored), stored.summary.id
                    if isinstance(result, str):
                        done.refused[id] = result
                        on_each(id)
                    elif result:
                        done.ids.append(id)
                        on_each(id)
                        opened.rest(pause)
        except StoreError as error:
            error.done = len(done.ids)
            raise
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"{len(done.ids)} were dealt with before") from error
        return done
