"""Name the right that a broker refuses. Runs in: worker main process."""

from typing import Any

import amqp
import redis

MISSING = (amqp.AccessRefused, redis.exceptions.NoPermissionError)
# RabbitMQ 3 does not say which of its three rights is missing, only which method it refused.
RIGHTS = {"declare": "configure", "delete": "configure", "publish": "write", "consume": "read", "get": "read"}


def refusal(error: Any, connection: Any) -> str:
    """Return in one line what is refused; where the answer of Redis names no key or channel, what a worker needs."""
    if isinstance(error, amqp.AccessRefused):
        right = RIGHTS.get(error.method_name.rpartition(".")[2].lower())
        return f"{error.reply_text}{f' (the right to {right})' if right else ''}"
    prefix = connection.transport_options.get("global_keyprefix", "")
    channels = f"&{prefix}/{connection.virtual_host or 0}."
    needed = f"~{prefix}* &{prefix}* {channels}celeryev/worker.* {channels}celery.pidbox +@all -@admin -@dangerous"
    return f"{error}; a worker needs {needed}"
