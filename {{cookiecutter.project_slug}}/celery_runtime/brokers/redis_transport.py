"""kombu's Redis transport, read by descending priority and guarded against what is no message.

kombu reads the smallest number first and lets neighbouring numbers share a list: here only the order of
reading is turned, and each number has a list of its own. And where somebody pushes bytes into a list
that are no message, kombu's worker drops them and its connection, or loses itself in a loop.

Source: kombu/transport/redis.py (`_brpop_start`, `_brpop_read`, `_q_for_pri`), kombu 5.7.
"""

import time
from collections.abc import Callable
from typing import Any

from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from kombu.utils.objects import cached_property

from celery_runtime.brokers import nesting
from celery_runtime.brokers.priorities import LEVELS
from celery_runtime.brokers.redis_fetch import FetchingChannel

WRITTEN = "takes-writes"


class _Guarded(FetchingChannel):
    """A channel that hands what is no message to `connection.on_unreadable`, where a worker has set that."""

    unacknowledged: frozenset[str] = frozenset()  # the tags of what is done, of which Redis could not be told
    priority_steps: Any = LEVELS[::-1]
    connection: Any

    def priority(self, n: int) -> int:
        # kombu rounds down to a step by bisection, which needs ascending steps.
        return n

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        try:
            super().basic_ack(delivery_tag, multiple)  # type: ignore[misc]
        except Exception:
            self.unacknowledged |= {delivery_tag}
            raise

    def acknowledge(self, delivery_tag: str) -> None:
        """Acknowledge a message of another channel."""
        self.qos._remove_from_indices(delivery_tag).execute()

    def check_writes(self) -> None:
        """Raise what Redis answers to a write that needs room."""
        with self.conn_or_acquire() as client:
            client.set(WRITTEN, "", ex=1)

    def renew(self, delivery_tag: str) -> None:
        """Begin the visibility timeout of a message anew, unless it was handed out again already."""
        with self.conn_or_acquire() as client:
            client.zadd(self.unacked_index_key, {delivery_tag: time.time()}, xx=True)

    def let_go(self, delivery_tag: str) -> None:
        """Do not give this message back when the channel closes: its task still runs."""
        self.qos._delivered.pop(delivery_tag, None)

    def adopt(self, message: Any) -> None:
        """Take over a message that another channel has let go: it is acknowledged by this one."""
        message.channel = self
        self.qos._quick_append(message.delivery_tag, message)

    def held(self) -> list[str]:
        """Return the tags of the messages that are given back when the channel closes."""
        return list(self.qos._delivered)

    def give_back(self, delivery_tag: str, since: float) -> None:
        """Give back a message that another channel could not, unless it was handed out again since then."""
        with self.conn_or_acquire() as client:
            [index] = self._prefixed([self.unacked_index_key])
            handed_out = client.execute_command("ZSCORE", index, delivery_tag)
            if handed_out is not None and float(handed_out) <= since:
                self.qos.restore_by_tag(delivery_tag, client=client)

    @cached_property
    def client(self) -> Any:
        client: Any = super().client
        parse = client.parse_response

        def parse_guarded(connection: Any, command: str, **options: Any) -> Any:
            reply = parse(connection, command, **options)
            if command != "BRPOP":
                return reply
            reply = self.fetched(reply)
            if reply and self._turns_away(*reply):
                return None  # as if the time to wait had passed
            return reply

        client.parse_response = parse_guarded
        return client

    def _turns_away(self, key: Any, item: bytes) -> bool:
        bury: Callable[[bytes, str, Exception], None] | None = self.connection.on_unreadable
        if bury is None:
            return False
        queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
        try:
            _check_message(self, item, queue)
        except Exception as error:  # noqa: BLE001 - whatever kombu would raise on it
            bury(item, queue, error)
            self.forget(item)
            return True
        return False


def _check_message(channel: Any, item: bytes, queue: str) -> None:
    """Raise what kombu would, or an error of our own, where the item is no message that can go back to the queue."""
    packed = loads(item.decode())  # kombu would read a sign of its own for what is no UTF-8, and run the rest
    if not nesting.is_shallow(packed):  # kombu packs it again, one level deeper
        raise ValueError(f"it is nested more than {nesting.DEEPEST} deep")
    message = channel.Message(packed, channel=channel)
    route = message.properties["delivery_info"]
    for value in (message.delivery_tag, route["exchange"], route["routing_key"]):
        if not isinstance(value, str):
            raise TypeError(f"{value!r} in its properties is no text")
        value.encode()
    if not isinstance(message.body, bytes | None):
        raise TypeError("its body is no text")
    channel._get_message_priority(packed)  # of an infinite one it makes an error, not 0
    if not _leads_to(channel, queue, route["exchange"], route["routing_key"]):
        raise ValueError("its exchange and routing key lead to another queue, or to none")


def _leads_to(channel: Any, queue: str, exchange: str, routing_key: str) -> bool:
    """Whether what goes back to its exchange comes to this queue; kombu drops without a word what comes to none."""
    if not exchange:
        return routing_key == queue
    known: bool = channel.state.has_binding(queue, exchange, routing_key)
    return known or queue in channel._lookup(exchange, routing_key)


class Channel(_Guarded, redis.Channel):
    pass


class Transport(redis.Transport):
    Channel = Channel
    on_unreadable = None


class SentinelChannel(_Guarded, redis.SentinelChannel):
    pass


class SentinelTransport(redis.SentinelTransport):
    Channel = SentinelChannel
    on_unreadable = None
