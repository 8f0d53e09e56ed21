"""kombu's Redis transport: read by descending priority, with no message lost between Redis and the worker.

Runs in: every process that connects to Redis; the fetching in the worker's main process.

- Order. kombu serves the smallest number first, and lets neighbouring numbers share a list. This channel has one
  list per priority, and reads them in reverse order.
- Fetching. kombu takes a message by BRPOP and records it as unacked when it has read the answer: if the worker is
  killed in between, the message is lost. Here fetch.lua does both in one step. Workers block on a list of tokens;
  publishing a message pushes one. Other publishers push none: an idle worker finds their messages within a second.
- Delays. What is not due waits in a sorted set, from which fetch.lua takes it in time.
- Screening. On bytes that are not a message, kombu drops the connection, or loops. Here the worker rejects them.

Source: kombu/transport/redis.py (`_brpop_start`, `_brpop_read`, `_put`, `_do_restore_message`, `_q_for_pri`),
kombu 5.7.
"""

import math
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from queue import Empty
from typing import Any, NamedTuple

from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads

from celery_runtime.brokers import DELAYED, TOKENS
from celery_runtime.brokers.delays import seconds_left
from celery_runtime.brokers.nesting import DEEPEST, is_shallow
from celery_runtime.brokers.priorities import LEVELS
from celery_runtime.brokers.redis_leases import QoS, RedisWorkerChannel

DELAY, FETCH, FORGET = (Path(__file__).with_name(f"{name}.lua").read_text() for name in ("delay", "fetch", "forget"))
MOST_TOKENS = 9  # of each queue: more would only make workers look in vain
TOKENS_KEPT = 10_000  # milliseconds


class _Batch(NamedTuple):
    """Adds commands to a pipeline, as kombu's `PublishBatch` does."""

    pipe: Any

    def add(self, name: str, *args: Any) -> None:
        getattr(self.pipe, name)(*args)


class Channel(RedisWorkerChannel, redis.Channel):
    """Change a channel of kombu's. A worker sets `connection.on_unreadable`: it gets what is not a message."""

    QoS = QoS
    # The option is ignored: ascending steps, as in a widespread snippet, would turn the order round.
    priority_steps = property(lambda _: LEVELS[::-1], lambda _, stated: None)
    is_recorded = False  # whether fetch.lua has recorded the message that is being delivered
    due_in = math.inf  # seconds until the next message is due
    _asked = ""  # the last command waits for a "token", or fetches a "message"; empty if kombu sent its own
    _found_nothing = False
    _without_acks: frozenset[str] = frozenset()

    def priority(self, n: int) -> int:
        # kombu rounds down to a step by bisection, which needs ascending steps.
        return n

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **options: Any) -> Any:
        if no_ack:
            self._without_acks |= {queue}
        return super().basic_consume(queue, no_ack, *args, **options)

    def _brpop_start(self, timeout: float | None = None) -> None:
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues or not self.ack_emulation or self._without_acks.intersection(queues):
            self._asked = ""
            super()._brpop_start(timeout)
            return
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        if self._found_nothing:
            self._asked, self._found_nothing = "token", False
            wait = max(min(timeout or self.brpop_timeout, self.due_in), 0.001)  # 0 would be for ever
            command = ["BRPOP", *self._prefixed(map(self._tokens_of, queues)), wait]
        else:
            self._asked = "message"
            lists = [self._q_for_pri(queue, level) for level in self.priority_steps for queue in queues]
            all_keys = [*self._prefixed(lists), *self._held_keys]
            command = ["EVAL", FETCH, len(all_keys), *all_keys, MOST_TOKENS, TOKENS_KEPT]
        self.client.connection.send_command(*command)

    def _brpop_read(self, **options: Any) -> Any:
        if not self._asked:
            return super()._brpop_read(**options)
        try:
            try:
                # Parsed as EVAL: for a BRPOP, kombu would cut off the prefix.
                reply = self.client.parse_response(self.client.connection, "EVAL", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            if self._asked == "message":
                if isinstance(reply, list):
                    return self._deliver_fetched(*reply)
                self._found_nothing, self.due_in = True, math.inf if reply is None else reply / 1000
            raise Empty()
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _deliver_fetched(self, key: bytes, item: bytes) -> bool:
        queue = bytes_to_str(key[:-1])[len(self.global_keyprefix) :].rsplit(self.sep, 1)[0]
        if on_unreadable := self.connection.on_unreadable:
            try:
                self._check_message(item, queue)
            except Exception as error:
                on_unreadable(item, queue, error)
                with self.conn_or_acquire() as client:
                    client.eval(FORGET, 2, *self._held_keys[1:], item)
                raise Empty() from error
        self._queue_cycle.rotate(queue)
        self.is_recorded = key.endswith(b"n")
        try:
            self.connection._deliver(loads(bytes_to_str(item)), queue)
        finally:
            self.is_recorded = False
        return True

    def _check_message(self, item: bytes, queue: str) -> None:
        """Raise an error, kombu's or our own, if the item is not a message that can go back to its queue."""
        packed = loads(item.decode())  # kombu would replace what is not UTF-8, and run the rest
        if not is_shallow(packed):  # kombu packs it again, one level deeper
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        message = self.Message(packed, channel=self)
        route = message.properties["delivery_info"]
        exchange, routing_key = route["exchange"], route["routing_key"]
        for value in (message.delivery_tag, exchange, routing_key):
            if not isinstance(value, str):
                raise TypeError(f"{value!r} in its properties is not a text")
            value.encode()
        if not isinstance(message.body, bytes | None):
            raise TypeError("its body is not a text")
        self._get_message_priority(packed)  # of an infinite one it makes an error, not 0
        # kombu drops what comes back to its exchange and leads to no queue.
        is_bound = self.state.has_binding(queue, exchange, routing_key)
        if not is_bound and queue not in self._lookup(exchange, routing_key):
            raise ValueError("its exchange and routing key lead to another queue, or to none")

    def _put(self, queue: str, message: Any, *, _publish_batch: Any = None, **options: Any) -> None:
        if _publish_batch is not None:
            if seconds := seconds_left(message["headers"]):
                self._delay(_publish_batch, [queue], message, seconds)
            else:
                super()._put(queue, message, _publish_batch=_publish_batch, **options)
                self._add_token(_publish_batch, queue)
            return
        # One transaction: else a failing token would report a message as lost that was published.
        with self.conn_or_acquire() as client, client.pipeline() as pipe:
            self._put(queue, message, _publish_batch=_Batch(pipe), **options)
            pipe.execute()

    def _do_restore_message(self, payload: Any, exchange: str, key: str, pipe: Any, leftmost: bool = False) -> None:
        super()._do_restore_message(payload, exchange, key, pipe, leftmost)
        for queue in self._lookup(exchange, key):
            self._add_token(_Batch(pipe), queue)

    def _delay(self, batch: Any, queues: Iterable[str], message: Any, seconds: float, held: str = "") -> None:
        level = self._get_message_priority(message)
        keys = [self._prefixed([self._q_for_pri(queue, level), self._tokens_of(queue)]) for queue in queues]
        members = ["\n".join([*pair, dumps(message)]) for pair in keys]
        batch.add("eval", DELAY, 3, *self._held_keys, seconds, held, *members)
        if seconds < self.brpop_timeout:  # a worker that waits longer looks again in time
            for queue in queues:
                self._add_token(batch, queue)

    def deliver_later(self, message: Any, seconds: float) -> None:
        """Move a message that this channel has to what is delayed, in one step."""
        origin = message.delivery_info
        with self.conn_or_acquire() as client, client.pipeline() as pipe:
            queues = list(self._lookup(origin["exchange"], origin["routing_key"]))
            self._delay(_Batch(pipe), queues, message._raw, seconds, message.delivery_tag)
            pipe.execute()

    def count_delayed(self) -> int:
        """Put what has become due into its list, and return how many messages are not due yet."""
        with self.conn_or_acquire() as client:
            client.eval(FETCH, 3, *self._held_keys, MOST_TOKENS, TOKENS_KEPT)
            return int(client.zcard(self._held_keys[0]))  # kombu prefixes no key of this command

    @cached_property
    def _held_keys(self) -> list[str]:
        return self._prefixed([DELAYED, self.unacked_key, self.unacked_index_key])

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        try:
            super().basic_ack(delivery_tag, multiple)
        except Exception:
            self.unacknowledged |= {delivery_tag}
            raise

    def wake(self, queue: str) -> None:
        """Push a token: a message was put into the queue by other means than this channel's."""
        with self.conn_or_acquire() as client, client.pipeline() as pipe:
            self._add_token(_Batch(pipe), queue)
            pipe.execute()

    def _add_token(self, batch: Any, queue: str) -> None:
        key = self._tokens_of(queue)
        batch.add("lpush", key, "")
        batch.add("ltrim", *self._prefixed([key]), 0, MOST_TOKENS - 1)  # kombu does not prefix this one
        batch.add("pexpire", key, TOKENS_KEPT)

    def _tokens_of(self, queue: str) -> str:
        return f"{queue}{self.sep}{TOKENS}"

    def _prefixed(self, names: Iterable[str]) -> list[str]:
        return [f"{self.global_keyprefix}{name}" for name in names]


class Transport(redis.Transport):
    Channel = Channel
    on_unreadable: Callable[[bytes, str, Exception], None] | None = None


class SentinelChannel(Channel, redis.SentinelChannel):
    pass


class SentinelTransport(Transport, redis.SentinelTransport):
    Channel = SentinelChannel
