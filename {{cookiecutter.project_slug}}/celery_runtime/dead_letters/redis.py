"""Store dead letters on Redis: a hash of entries by id, and a sorted set by the time of the last failure.

A value of the hash begins with the entry's member of the sorted set, which is one line of kind, task and id.
The set alone so has all that a list or a count of 100,000 entries needs.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kombu import Producer
from kombu.utils.json import dumps

from celery_runtime.brokers import DEAD_LETTERS
from celery_runtime.brokers.redis import channel_of, client_of
from celery_runtime.dead_letters.model import DeadLetter, DeadLetterFilter, StoredEntry, StoreError, Summary

ADD, TAKE = (Path(__file__).with_name(name).read_text() for name in ("add.lua", "take.lua"))
CHUNK = 200


class RedisStore:
    """Store dead letters on the Redis that is the broker."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.prefix = app.conf.broker_transport_options.get("global_keyprefix", "")
        self.keys = [f"{self.prefix}{DEAD_LETTERS}", f"{self.prefix}{DEAD_LETTERS}:by-time"]

    def add(self, entry: DeadLetter, *, keep_existing: bool = False) -> None:
        conf, summary = self.app.conf, entry.summary
        member = f"{entry.kind}\t{summary.task}\t{entry.id}"
        stored = (entry.id, member, f"{member}\n{entry.to_json()}", summary.last_failure)
        limits = (int(keep_existing), time.time() - conf.dead_letter_retention, conf.dead_letter_maximum)
        with channel_of(self.app, StoreError.at) as channel:
            client_of(channel).register_script(ADD)(self.keys, (*stored, *limits))

    @contextmanager
    def open(self) -> "Iterator[OpenRedisStore]":
        with channel_of(self.app, StoreError.at) as channel:
            yield OpenRedisStore(self, channel)


class OpenRedisStore:
    """Implement `OpenStore` on Redis, where any number of readers and writers work at once."""

    def __init__(self, store: RedisStore, channel: Any) -> None:
        self.channel, self.client = channel, client_of(channel)
        self.prefix, self.keys = store.prefix, store.keys
        self.entries, self.by_time = store.keys
        self.rest = time.sleep

    def find(self, chosen: DeadLetterFilter) -> Iterator[StoredEntry]:
        ids = list(dict.fromkeys(chosen.ids)) or [one.id for one in self._summaries(chosen)]
        for start in range(0, len(ids), CHUNK):
            yield from self._read(ids[start : start + CHUNK], chosen)

    def newest(self, chosen: DeadLetterFilter, limit: int | None) -> list[DeadLetter]:
        if chosen.ids:
            found = sorted(self.find(chosen), key=lambda stored: stored.summary.last_failure, reverse=True)
            return [stored.load() for stored in found[:limit]]
        entries: dict[str, DeadLetter] = {}  # by id: an entry added meanwhile moves others to the next chunk
        start = 0
        while start < self.client.zcard(self.by_time) and (limit is None or len(entries) < limit):
            ids = [one.id for one in self._summaries(chosen, start)]
            entries.update((stored.summary.id, stored.load()) for stored in self._read(ids, chosen))
            start += CHUNK
        return list(entries.values())[:limit]

    def count(self, chosen: DeadLetterFilter) -> "Counter[str]":
        found = (one.summary for one in self.find(chosen)) if chosen.ids else self._summaries(chosen)
        return Counter(one.kind for one in found)

    def take(self, stored: StoredEntry, publish: Callable[[Producer], None] | None = None) -> bool:
        put: list[tuple[str, Any]] = []
        if publish:
            if self.client.hget(self.entries, stored.summary.id) != stored.handle:
                return False  # another was quicker, and its task may have a result by now
            # The script pushes the message instead of kombu, in one step with the removal.
            self.channel._put = lambda queue, message, **_: put.append((queue, message))
            try:
                publish(Producer(self.channel))
            finally:
                del self.channel._put
            if not put:
                raise StoreError(f"no queue takes the task of the dead letter {stored.summary.id}")
        levels = [(queue, self.channel._get_message_priority(message)) for queue, message in put]
        lists = [self.prefix + self.channel._q_for_pri(queue, level) for queue, level in levels]
        arguments = [stored.summary.id, stored.handle, *(dumps(message) for _, message in put)]
        is_taken = bool(self.client.register_script(TAKE)([*self.keys, *lists], arguments))
        if is_taken:
            for queue, _ in put:
                self.channel.wake(queue)
        return is_taken

    def _summaries(self, chosen: DeadLetterFilter, start: int | None = None) -> Iterator[Summary]:
        """Yield the summaries that fit, oldest first; with `start`, those of a chunk, newest first.

        Redis compares the time. It is not asked for it, which would take the client longer than all else.
        """
        latest = "+inf" if chosen.older_than is None else time.time() - chosen.older_than
        if start is None:
            members = self.client.zrangebyscore(self.by_time, "-inf", latest)
        else:
            members = self.client.zrevrangebyscore(self.by_time, latest, "-inf", start=start, num=CHUNK)
        for member in members:
            kind, task, id_ = member.decode().split("\t", 2)
            summary = Summary(id_, kind, task, -math.inf)
            if chosen.fits(summary):
                yield summary

    def _read(self, ids: list[str], chosen: DeadLetterFilter) -> list[StoredEntry]:
        values = self.client.hmget(self.entries, ids) if ids else []
        texts = {value: value.rpartition(b"\n")[2] for value in values if value is not None}
        stored = [StoredEntry(DeadLetter.from_json(text).summary, text, value) for value, text in texts.items()]
        return [one for one in stored if chosen.fits(one.summary)]
