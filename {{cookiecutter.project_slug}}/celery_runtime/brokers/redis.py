"""The Redis that is the broker, asked for more than messages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from kombu.exceptions import OperationalError

from celery_runtime.errors.classify import classify


@contextmanager
def channel_of(app: Any, failure: Callable[[str], Exception]) -> Iterator[Any]:
    """Lend a channel of the app's pool.

    Args:
        failure: makes the exception to raise, of a text that names the server and the error.
    """
    with app.pool.acquire(block=True) as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0)
            yield connection.default_channel
        except (redis.RedisError, OSError, OperationalError) as error:
            raise failure(f"{connection.as_uri()}: {error}") from error


def refuses_for_now(error: BaseException) -> bool:
    """Whether it is the answer of a Redis that takes no writes for a while: in a failover, or out of memory or disk."""
    return isinstance(error, redis.ResponseError) and classify(error).kind == "database.unavailable"


def client_of(channel: Any) -> Any:
    """Return a client without a prefix: kombu's own puts it before the keys of some commands and not of others."""
    return redis.Redis(connection_pool=channel.pool)
