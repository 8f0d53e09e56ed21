"""The queues of the project. Add yours here; a worker reads all of them, or those given by `-Q`."""

from celery_runtime.brokers.priorities import Priority, priority_queue

__all__ = ["DEFAULT_QUEUE", "QUEUES", "Priority"]

DEFAULT_QUEUE = "tasks"

QUEUES = [
    priority_queue(DEFAULT_QUEUE),
]
