"""The Redis that is the broker, asked for more than messages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from celery_runtime.brokers import CRASH_NOTES, NOTES_KEPT, BrokerError, Depth
from celery_runtime.brokers.connection import connected
from celery_runtime.brokers.priorities import LEVELS
from celery_runtime.errors.classify import classify


class Redis:
    """`Broker` on Redis: each priority of a queue is a list, the crash notes of a task are a number."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.prefix = f"{app.conf.broker_transport_options.get('global_keyprefix', '')}{CRASH_NOTES}:"

    def depth(self, queue: str) -> Depth:
        with channel_of(self.app, BrokerError) as channel:
            channel.count_delayed()  # what has become due counts
            lengths = {level: channel.client.llen(channel._q_for_pri(queue, level)) for level in LEVELS}
        return Depth(queue, sum(lengths.values()), lengths)

    def count_delayed(self) -> int:
        with channel_of(self.app, BrokerError) as channel:
            return int(channel.count_delayed())

    def deliver_later(self, message: Any, seconds: float) -> None:
        message.channel.deliver_later(message, seconds)

    def check_rights(self) -> None:
        """Do nothing: what a worker does first needs all of its rights."""

    def count_crashes(self, task_id: str) -> int:
        return int(self._ask(lambda client, key: client.get(key), task_id) or 0)

    def note_run(self, task_id: str) -> None:
        self._ask(lambda client, key: client.pipeline().incr(key).expire(key, NOTES_KEPT).execute(), task_id)

    def forget_runs(self, task_id: str) -> None:
        self._ask(lambda client, key: client.delete(key), task_id)

    def _ask(self, ask: Callable[[Any, str], Any], task_id: str) -> Any:
        with channel_of(self.app, BrokerError) as channel:
            return ask(client_of(channel), self.prefix + task_id)


@contextmanager
def channel_of(app: Any, failure: Callable[[str], Exception]) -> Iterator[Any]:
    """Lend a channel of the app's pool. `failure` as in `connected`."""
    with app.pool.acquire(block=True) as connection, connected(connection, failure):
        yield connection.default_channel


def client_of(channel: Any) -> Any:
    """Return a client without a prefix: kombu's own puts it before the keys of some commands and not of others."""
    return redis.Redis(connection_pool=channel.pool)


def refuses_for_now(error: BaseException) -> bool:
    """Whether it is the answer of a Redis that takes no writes for a while: in a failover, or out of memory or disk."""
    return isinstance(error, redis.ResponseError) and classify(error).kind == "database.unavailable"
