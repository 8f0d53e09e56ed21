"""A Redis of its own, in a folder of its own, ended by its process id."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from celery_runtime.testing.brokers import RedisServer

from . import servers

__all__ = ["RedisServer", "redis_server"]


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """Lend a server that runs, with more options of its command line; end it with all that is in it.

    Raises:
        Unavailable: there is no `redis-server`.
    """
    with (
        tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True) as folder,
        RedisServer(Path(folder), *options, binary=servers.redis_binary()) as server,
    ):
        yield server
