from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kombu import Connection

from {{ cookiecutter.project_slug }} import app


def _queues() -> list[str]:
    return [*(queue.name for queue in app.conf.task_queues), f"{app.main}.dead-letters"]


@contextmanager
def empty_broker(url: str) -> Iterator[str]:
    """Lend a broker that holds nothing, and empty it again. One that holds something is not touched."""
    with Connection(url) as connection:
        if _is_used(connection):
            pytest.exit(f"{connection.as_uri()} is not empty: give the tests a broker of their own", 1)
    yield url
    with Connection(url) as connection:
        if connection.transport.driver_type == "redis":
            connection.default_channel.client.flushdb()
        else:
            for queue in _queues():
                connection.default_channel.queue_delete(queue)


def _is_used(connection: Connection) -> bool:
    if connection.transport.driver_type == "redis":
        return bool(connection.default_channel.client.dbsize())
    return any(_holds_messages(connection, queue) for queue in _queues())


def _holds_messages(connection: Connection, queue: str) -> bool:
    try:
        return bool(connection.channel().queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return False  # there is no such queue
