"""The queues of the project. A worker reads all of them, or those given by `-Q`."""

from celery_runtime import priority_queue

DEFAULT_QUEUE = "tasks"

QUEUES = [
    priority_queue(DEFAULT_QUEUE),
    # priority_queue("mail"),
]
