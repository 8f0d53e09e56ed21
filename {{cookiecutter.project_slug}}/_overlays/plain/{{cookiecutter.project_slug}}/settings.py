"""Celery's settings that are yours to change.

The protective ones, each with its reason, are in celery_runtime/defaults.py. Any of them may be stated here, and wins.
"""

from celery_runtime import environment
from celery_runtime.brokers import urls

from . import queues, results, schedule

broker_url = urls.broker_url()
result_backend = urls.results_url(broker_url, default=results.DEFAULT)
result_expires = 24 * 60 * 60  # seconds

# A task file: any file in celery_tasks/ and its sub-folders that matches this pattern.
task_file_pattern = "ex*.py"
task_queues = queues.QUEUES
task_default_queue = queues.DEFAULT_QUEUE

beat_schedule = schedule.SCHEDULE
timezone = "UTC"  # of the crontabs in schedule.py

worker_concurrency = environment.positive_integer("CELERY_WORKER_CONCURRENCY", default="auto")
# Seconds that running tasks have to end after a SIGTERM, before they go back to their queue. It must be less than
# what your platform allows: Docker 10 s, Kubernetes 30 s, systemd 90 s.
worker_soft_shutdown_timeout = environment.positive_integer("CELERY_SOFT_SHUTDOWN_TIMEOUT", default=20)

# Seconds. At the soft limit SoftTimeLimitExceeded is raised in the task, at the hard one its process is killed.
task_time_limit = environment.positive_integer("CELERY_TASK_TIME_LIMIT", default=300)
task_soft_time_limit = environment.positive_integer("CELERY_TASK_SOFT_TIME_LIMIT", default=270)
# Megabytes that the process of a task may allocate before it gets a MemoryError. Only on Linux.
task_memory_limit = environment.positive_integer("CELERY_TASK_MEMORY_LIMIT", default=None)

# How long, and how many, dead letters are kept; the oldest go first.
dead_letter_retention = 30 * 24 * 60 * 60  # seconds
dead_letter_maximum = 100_000
