"""The queues of the project, such as `priority_queue("mail")`. A worker reads all, or those given by `-Q`."""

from celery_runtime import priority_queue

DEFAULT_QUEUE = "tasks"

QUEUES = [
    priority_queue(DEFAULT_QUEUE),
]
