"""Lease messages of a Redis: a sorted set holds a time for each, and the worker that has the message renews it.

A message that is not renewed for the visibility timeout is requeued by any worker of the queue. So this timeout is
short, whatever a task takes. All times are of the server's clock. Runs in: worker main process. Source:
kombu/transport/redis.py (`QoS.append`, `QoS.restore_visible`, `_restore`), kombu 5.7.
"""

import time
from collections.abc import Iterable
from typing import Any

from kombu.transport import redis, virtual

from celery_runtime.brokers import WRITE_CHECK, WorkerChannel


def now(client: Any) -> float:
    """Return the server's time, in seconds since the epoch."""
    seconds, microseconds = client.time()
    return float(seconds + microseconds / 1e6)


class QoS(redis.QoS):
    channel: Any

    def append(self, message: Any, delivery_tag: str) -> None:
        if self.channel.is_recorded:
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)
            self.channel.renew([delivery_tag])  # by the server's clock

    def restore_visible(self, start: int = 0, num: int | None = None, interval: int = 1) -> None:
        """Requeue what no worker has renewed for the visibility timeout. After a connection, wait for half of it.

        The broker may have been away: then the others renew what they have as soon as they have it back.
        """
        channel = self.channel
        if time.monotonic() < channel.connected_at + channel.visibility_timeout / 2:
            return
        with channel.conn_or_acquire() as client:
            latest = now(client) - channel.visibility_timeout
            for tag in client.zrange(self.unacked_index_key, 0, latest, byscore=True, offset=0, num=num or -1):
                self.restore_by_tag(tag, client)


class RedisWorkerChannel(WorkerChannel):
    """Implements `WorkerChannel` as a part of kombu's channel."""

    qos: Any
    unacked_index_key: str
    conn_or_acquire: Any
    _prefixed: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connected_at = time.monotonic()

    def acknowledge(self, delivery_tag: str) -> None:
        self.qos._remove_from_indices(delivery_tag).execute()

    def check_writes(self) -> None:
        with self.conn_or_acquire() as client:
            client.set(WRITE_CHECK, "", ex=1)

    def renew(self, delivery_tags: Iterable[str]) -> None:
        with self.conn_or_acquire() as client:
            client.zadd(self.unacked_index_key, dict.fromkeys(delivery_tags, now(client)), xx=True)

    def let_go(self, delivery_tag: str) -> None:
        self.qos._delivered.pop(delivery_tag, None)

    def adopt(self, message: Any) -> None:
        message.channel = self
        self.qos._quick_append(message.delivery_tag, message)

    def held(self) -> list[str]:
        return list(self.qos._delivered)

    def requeue_held(self) -> None:
        self.qos.restore_unacked()

    def give_back(self, delivery_tag: str, since: float) -> None:
        with self.conn_or_acquire() as client:
            leased = client.zscore(*self._prefixed([self.unacked_index_key]), delivery_tag)
            if leased is not None and leased <= now(client) - (time.monotonic() - since):
                self.qos.restore_by_tag(delivery_tag, client=client)
