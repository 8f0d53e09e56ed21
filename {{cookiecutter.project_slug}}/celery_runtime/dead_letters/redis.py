"""Dead letters on Redis: a hash of entries by id, and a sorted set by the time of the last failure.

A value of the hash is one line of kind, task and id, which is also the entry's member in the sorted set,
and below it, after the last line feed, the entry as JSON. So the set alone tells what there is, and to read or
to count 100,000 entries is to read one set.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

from kombu import Producer
from kombu.utils.json import dumps

from celery_runtime.brokers.redis import channel_of, client_of
from celery_runtime.dead_letters.filter import Selection
from celery_runtime.dead_letters.model import DeadLetter, Summary
from celery_runtime.dead_letters.store import Bounds, Held, Publish, StoreError

CHUNK = 200

# An id may be any text, with tabs and line feeds in it.
_FORGET = """
local function id_of(member) return string.match(member, '^[^\\t]*\\t[^\\t]*\\t(.*)$') end
local function forget(member)
    redis.call('ZREM', KEYS[2], member)
    redis.call('HDEL', KEYS[1], id_of(member))
end
"""
_ADD = (
    _FORGET
    + """
local id, member, value, score, keep_existing, eldest, maximum = unpack(ARGV)
local old = redis.call('HGET', KEYS[1], id)
if old then
    if keep_existing == '1' then return 0 end
    redis.call('ZREM', KEYS[2], string.match(old, '^(.*)\\n'))
end
redis.call('HSET', KEYS[1], id, value)
redis.call('ZADD', KEYS[2], score, member)
for _, one in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. eldest, 'LIMIT', 0, 1000)) do
    forget(one)
end
local surplus = redis.call('ZCARD', KEYS[2]) - tonumber(maximum)
if surplus > 0 then
    for _, one in ipairs(redis.call('ZRANGE', KEYS[2], 0, math.min(surplus, 1000) - 1)) do forget(one) end
end
return 1
"""
)
# The value must be the one that was read: an entry that was replaced meanwhile is another one.
_TAKE = (
    _FORGET
    + """
local member, value = ARGV[1], ARGV[2]
if redis.call('HGET', KEYS[1], id_of(member)) ~= value then return 0 end
for i = 3, #KEYS do redis.call('LPUSH', KEYS[i], ARGV[i]) end
forget(member)
return 1
"""
)


class RedisStore:
    """Keeps dead letters on the Redis that is the broker."""

    def __init__(self, app: Any) -> None:
        self.app = app
        prefix = app.conf.broker_transport_options.get("global_keyprefix", "")
        self.prefix = prefix
        self.keys = [f"{prefix}dead-letters", f"{prefix}dead-letters:by-time"]

    def add(self, entry: DeadLetter, bounds: Bounds, *, keep_existing: bool = False) -> None:
        summary = entry.summary
        member = _member(summary)
        value = f"{member}\n{entry.to_json()}"
        score = summary.last_failure.timestamp()
        eldest = datetime.now(UTC).timestamp() - bounds.retention
        arguments = (entry.id, member, value, score, int(keep_existing), eldest, bounds.maximum)
        with self._channel() as channel:
            client_of(channel).register_script(_ADD)(self.keys, arguments)

    @contextmanager
    def open(self) -> "Iterator[RedisReading]":
        with self._channel() as channel:
            yield RedisReading(channel, self.prefix, self.keys)

    def _channel(self) -> AbstractContextManager[Any]:
        return channel_of(self.app, lambda problem: StoreError(f"the dead letters at {problem}"))


class RedisReading:
    """The store while it is open."""

    def __init__(self, channel: Any, prefix: str, keys: list[str]) -> None:
        self.channel = channel
        self.client = client_of(channel)
        self.prefix = prefix
        self.keys = keys
        self._take = self.client.register_script(_TAKE)

    def find(self, selection: Selection) -> Iterator[Held]:
        if selection.ids:
            ids = list(dict.fromkeys(selection.ids))
        else:
            members = self.client.zrange(self.keys[1], 0, -1, withscores=True)
            ids = [one.id for one in map(_summary, members) if selection.fits(one)]
        for chunk in _batches(ids):
            yield from (held for held in self._read(chunk) if selection.fits(held.summary))

    def newest(self, selection: Selection, limit: int | None) -> list[DeadLetter]:
        if selection.ids:
            found = sorted(self.find(selection), key=lambda held: held.summary.last_failure, reverse=True)
            return [held.load() for held in found[:limit]]
        entries: dict[str, DeadLetter] = {}  # by id: what is added meanwhile moves others to the next chunk
        start = 0
        while limit is None or len(entries) < limit:
            members = self.client.zrange(self.keys[1], start, start + CHUNK - 1, desc=True, withscores=True)
            if not members:
                break
            start += CHUNK
            ids = [one.id for one in map(_summary, members) if selection.fits(one)]
            entries.update((held.summary.id, held.load()) for held in self._read(ids))
        return list(entries.values())[:limit]

    def count(self, selection: Selection) -> "Counter[str]":
        if selection.ids:
            return Counter(held.summary.kind for held in self.find(selection))
        now = datetime.now(UTC)
        latest = "+inf" if selection.older_than is None else now.timestamp() - selection.older_than
        members = self.client.zrangebyscore(self.keys[1], "-inf", latest)
        selection = dataclasses.replace(selection, older_than=None)
        kinds: Counter[str] = Counter()
        for (kind, task), number in Counter(tuple(one.split(b"\t", 2)[:2]) for one in members).items():
            if selection.fits(Summary("", kind.decode(), task.decode(), now)):
                kinds[kind.decode()] += number
        return kinds

    def requeue(self, held: Held, publish: Publish) -> bool:
        if self.client.hget(self.keys[0], held.summary.id) != held.token:
            return False  # another was quicker, and its task may have a result by now
        pushed: list[tuple[str, str]] = []
        queues: list[str] = []

        def put(queue: str, message: Any, **_: Any) -> None:
            queues.append(queue)
            level = self.channel._get_message_priority(message, reverse=False)
            pushed.append((self.prefix + self.channel._q_for_pri(queue, level), dumps(message)))

        # What kombu would push into a list is pushed by the script instead, in one go with the removal.
        self.channel._put = put
        try:
            publish(Producer(self.channel))
        finally:
            del self.channel._put
        if not pushed:
            raise StoreError(f"no queue takes the task of the dead letter {held.summary.id}")
        if not self._remove(held, pushed):
            return False
        for queue in queues:
            self.channel.wake(queue)
        return True

    def remove(self, held: Held) -> bool:
        return self._remove(held, [])

    def _remove(self, held: Held, pushed: list[tuple[str, str]]) -> bool:
        keys = [*self.keys, *(key for key, _ in pushed)]
        arguments = [_member(held.summary), held.token, *(message for _, message in pushed)]
        return bool(self._take(keys, arguments))

    def _read(self, ids: list[str]) -> Iterator[Held]:
        values = self.client.hmget(self.keys[0], ids) if ids else []
        for value in values:
            if value is not None:
                _, _, text = value.rpartition(b"\n")
                entry = DeadLetter.from_json(text)
                yield Held(entry.summary, lambda entry=entry: entry, value)  # type: ignore[misc]


def _member(one: Summary) -> str:
    return f"{one.kind}\t{one.task}\t{one.id}"


def _summary(member_and_score: tuple[bytes, float]) -> Summary:
    member, score = member_and_score
    kind, task, id_ = member.decode().split("\t", 2)
    return Summary(id_, kind, task, datetime.fromtimestamp(score, UTC))


def _batches(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
