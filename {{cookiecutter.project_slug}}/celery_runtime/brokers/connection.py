"""The connections of this app alone: kombu's, with transports of our own in place of kombu's.

Runs in: every process that connects. Whatever else uses kombu there, such as another Celery app, keeps kombu's
transports. Source: kombu/connection.py (`get_transport_cls`, `__eqhash__`, `ConnectionPool.new`), kombu 5.7.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import amqp
import kombu.connection
import redis.exceptions
from kombu.exceptions import OperationalError
from kombu.transport import pyamqp
from kombu.transport import redis as kombu_redis
from kombu.utils.collections import HashedSeq

from celery_runtime.brokers import BrokerError, rabbitmq_transport, redis_transport

PATIENCE = 2.0  # seconds in which a server must have answered a connection that publishes
# All that a client raises where its broker is away, or refuses.
FAULTS = (redis.exceptions.RedisError, amqp.AMQPError, OSError, OperationalError)
OURS: dict[type, type] = {
    kombu_redis.Transport: redis_transport.Transport,
    kombu_redis.SentinelTransport: redis_transport.SentinelTransport,
    pyamqp.Transport: rabbitmq_transport.Transport,
    pyamqp.SSLTransport: rabbitmq_transport.SSLTransport,
}


class Connection(kombu.Connection):
    """`AMQP.Connection` of the app, by which Celery makes every connection to a broker."""

    def get_transport_cls(self) -> Any:
        cls = super().get_transport_cls()
        return OURS.get(cls, cls)

    def as_uri(self, *args: Any, **options: Any) -> str:
        """Return the URL, with `**` for a password only if there is one."""
        uri = super().as_uri(*args, **options)
        return uri if self.password else uri.replace("://:**@", "://")

    def drain_events(self, **options: Any) -> Any:
        if self._connection is not None and not self.connected:
            # kombu would connect anew, where no consumer is. Celery does so as it cleans up, and logs what that raises.
            raise ConnectionError("the connection is lost")
        return super().drain_events(**options)

    def __eqhash__(self) -> Any:
        # kombu shares its pools among connections that are equal: a stock one to the same server is not.
        return HashedSeq(type(self), *super().__eqhash__())

    def Pool(self, limit: int | None = None, **options: Any) -> "ConnectionPool":
        return ConnectionPool(self, limit, **options)


class PooledConnection(Connection, kombu.connection.PooledConnection):
    pass


class ConnectionPool(kombu.connection.ConnectionPool):
    def new(self) -> PooledConnection:
        return PooledConnection(self, **dict(self.connection._info(resolve=False)))


def patient(connection: Any) -> Any:
    """Bound how long a connection that publishes waits for a server that is silent; return it."""
    is_redis = connection.transport.driver_type == "redis"
    names = ("socket_timeout",) if is_redis else ("read_timeout", "write_timeout")
    connection.transport_options = {**connection.transport_options, **dict.fromkeys(names, PATIENCE)}
    return connection


@contextmanager
def connected(connection: Any, failure: Callable[[str], Exception]) -> Iterator[Any]:
    """Connect at once or not at all, and lend the connection. `failure` makes an exception of what went wrong."""
    try:
        connection.ensure_connection(max_retries=1, interval_start=0)
        yield connection
    except BrokerError:
        raise
    except FAULTS as error:
        raise failure(f"{connection.as_uri()} cannot be used: {error}") from error


def by_connection(app: Any, act: Callable[[Any], Any], failure: Callable[[str], Exception]) -> Any:
    """Return what `act` returns on a connection of the app's pool; on a new one if that one was stale.

    The server closes an idle connection, and a process that a worker forks closes those of its parent.
    """
    try:
        with app.pool.acquire(block=True) as connection, connected(connection, failure):
            return act(connection)
    except BrokerError:
        with app.connection_for_write() as connection, connected(connection, failure):
            return act(connection)
