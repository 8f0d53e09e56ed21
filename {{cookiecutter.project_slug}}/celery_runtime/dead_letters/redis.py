"""Store dead letters on Redis: a hash of entries by id, and a sorted set by the time of the last failure.

A value of the hash begins with the entry's member of the sorted set, which is one line of kind, task and id.
The set alone so has all that a list or a count of 100,000 entries needs.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kombu import Producer
from kombu.utils.json import dumps

from celery_runtime.brokers import keys
from celery_runtime.brokers.redis import channel_of, client_of
from celery_runtime.dead_letters.model import (
    DeadLetter,
    DeadLetterFilter,
    Publish,
    Retention,
    StoredEntry,
    StoreError,
    Summary,
)

ADD, TAKE = (Path(__file__).with_name(name).read_text() for name in ("add.lua", "take.lua"))
CHUNK = 200


class RedisStore:
    """Store dead letters on the Redis that is the broker."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.prefix = app.conf.broker_transport_options.get("global_keyprefix", "")
        self.keys = [f"{self.prefix}{keys.DEAD_LETTERS}", f"{self.prefix}{keys.DEAD_LETTERS}:by-time"]

    def add(self, entry: DeadLetter, retention: Retention, *, keep_existing: bool = False) -> None:
        kind, task, last_failure = entry.kind, entry.summary.task, entry.summary.last_failure
        member = f"{kind}\t{task}\t{entry.id}"
        value = f"{member}\n{entry.to_json()}"
        eldest = datetime.now(UTC).timestamp() - retention.seconds
        limits = (int(keep_existing), eldest, retention.maximum)
        with self._channel() as channel:
            arguments = (entry.id, member, value, last_failure.timestamp(), *limits)
            client_of(channel).register_script(ADD)(self.keys, arguments)

    @contextmanager
    def open(self) -> "Iterator[OpenRedisStore]":
        with self._channel() as channel:
            yield OpenRedisStore(channel, self.prefix, self.keys)

    def _channel(self) -> AbstractContextManager[Any]:
        return channel_of(self.app, lambda problem: StoreError(f"the dead letters at {problem}"))


class OpenRedisStore:
    """Implement `OpenStore` on Redis, where any number of readers and writers work at once."""

    def __init__(self, channel: Any, prefix: str, keys: list[str]) -> None:
        self.channel = channel
        self.client = client_of(channel)
        self.prefix = prefix
        self.keys = keys
        self.rest = time.sleep

    def find(self, chosen: DeadLetterFilter) -> Iterator[StoredEntry]:
        if chosen.ids:
            ids = list(dict.fromkeys(chosen.ids))
        else:
            members = self.client.zrange(self.keys[1], 0, -1, withscores=True)
            ids = [one.id for one in map(_summary, members) if chosen.fits(one)]
        for start in range(0, len(ids), CHUNK):
            yield from (one for one in self._read(ids[start : start + CHUNK]) if chosen.fits(one.summary))

    def newest(self, chosen: DeadLetterFilter, limit: int | None) -> list[DeadLetter]:
        if chosen.ids:
            found = sorted(self.find(chosen), key=lambda stored: stored.summary.last_failure, reverse=True)
            return [stored.load() for stored in found[:limit]]
        entries: dict[str, DeadLetter] = {}  # by id: an entry added meanwhile moves others to the next chunk
        start = 0
        while limit is None or len(entries) < limit:
            members = self.client.zrange(self.keys[1], start, start + CHUNK - 1, desc=True, withscores=True)
            if not members:
                break
            start += CHUNK
            ids = [one.id for one in map(_summary, members) if chosen.fits(one)]
            entries.update((stored.summary.id, stored.load()) for stored in self._read(ids))
        return list(entries.values())[:limit]

    def count(self, chosen: DeadLetterFilter) -> "Counter[str]":
        if chosen.ids:
            return Counter(stored.summary.kind for stored in self.find(chosen))
        now = datetime.now(UTC)
        latest = "+inf" if chosen.older_than is None else now.timestamp() - chosen.older_than
        members = self.client.zrangebyscore(self.keys[1], "-inf", latest)
        chosen = dataclasses.replace(chosen, older_than=None)
        kinds: Counter[str] = Counter()
        for (kind, task), number in Counter(tuple(one.split(b"\t", 2)[:2]) for one in members).items():
            if chosen.fits(Summary("", kind.decode(), task.decode(), now)):
                kinds[kind.decode()] += number
        return kinds

    def requeue(self, stored: StoredEntry, publish: Publish) -> bool:
        if self.client.hget(self.keys[0], stored.summary.id) != stored.handle:
            return False  # another was quicker, and its task may have a result by now
        pushed: list[tuple[str, str]] = []
        queues: list[str] = []

        def put(queue: str, message: Any, **_: Any) -> None:
            queues.append(queue)
            level = self.channel._get_message_priority(message, reverse=False)
            pushed.append((self.prefix + self.channel._q_for_pri(queue, level), dumps(message)))

        # The script pushes the message instead of kombu, in one step with the removal.
        self.channel._put = put
        try:
            publish(Producer(self.channel))
        finally:
            del self.channel._put
        if not pushed:
            raise StoreError(f"no queue takes the task of the dead letter {stored.summary.id}")
        if not self._take(stored, pushed):
            return False
        for queue in queues:
            self.channel.wake(queue)
        return True

    def remove(self, stored: StoredEntry) -> bool:
        return self._take(stored, [])

    def _take(self, stored: StoredEntry, pushed: list[tuple[str, str]]) -> bool:
        keys = [*self.keys, *(key for key, _ in pushed)]
        arguments = [stored.summary.id, stored.handle, *(message for _, message in pushed)]
        return bool(self.client.register_script(TAKE)(keys, arguments))

    def _read(self, ids: list[str]) -> list[StoredEntry]:
        values = self.client.hmget(self.keys[0], ids) if ids else []
        return [_stored(value) for value in values if value is not None]


def _stored(value: bytes) -> StoredEntry:
    entry = DeadLetter.from_json(value.rpartition(b"\n")[2])
    return StoredEntry(entry.summary, lambda: entry, value)


def _summary(member_and_score: tuple[bytes, float]) -> Summary:
    member, score = member_and_score
    kind, task, id_ = member.decode().split("\t", 2)
    return Summary(id_, kind, task, datetime.fromtimestamp(score, UTC))
