"""Settings of Celery."""

from . import queues, results, schedule
from .celery_runtime import broker, environment

broker_url = broker.url()
result_backend = results.url(broker_url)

# A task file: any file of this name in celery_tasks/ and its sub-folders.
task_file_pattern = "ex*.py"

beat_schedule = schedule.SCHEDULE
timezone = "UTC"  # of the crontabs in schedule.py

task_queues = queues.QUEUES
task_default_queue = queues.DEFAULT_QUEUE
task_default_exchange = queues.DEFAULT_QUEUE
task_default_routing_key = queues.DEFAULT_QUEUE
# With True, a misspelt queue is created without a word and nobody reads it.
task_create_missing_queues = False

worker_concurrency = environment.positive_integer("CELERY_WORKER_CONCURRENCY", default="auto")
# A worker takes a message only when a process is free, so that an urgent one never waits behind
# others that the worker already holds.
worker_prefetch_multiplier = 1
# A message is done when its task is, not when it starts: a killed worker loses nothing, but a task may
# run twice.
task_acks_late = True
# Workers hold the tasks that wait for their time. One that holds as many as a limit allows takes nothing
# else, however urgent.
worker_eta_task_limit = None

# Seconds. At the soft limit SoftTimeLimitExceeded is raised in the task, at the hard one it is killed.
task_time_limit = environment.positive_integer("CELERY_TASK_TIME_LIMIT", default=300)
task_soft_time_limit = environment.positive_integer("CELERY_TASK_SOFT_TIME_LIMIT", default=270)
environment.check_time_limits(task_soft_time_limit, task_time_limit)
# Megabytes that the process of a task may allocate before it gets a MemoryError. Only on Linux.
task_memory_limit = environment.positive_integer("CELERY_TASK_MEMORY_LIMIT", default=None)
# Seconds that running tasks have to end after a SIGTERM, before they go back to their queue. It must be less than
# what your platform allows: Docker 10 s, Kubernetes 30 s, systemd 90 s.
worker_soft_shutdown_timeout = environment.positive_integer("CELERY_SOFT_SHUTDOWN_TIMEOUT", default=20)

# Results are kept for `.get()` and chords; a task whose result nobody reads sets ignore_result=True.
result_expires = 24 * 60 * 60  # seconds
result_backend_transport_options = broker.result_transport_options(__package__)

# What has failed for good is kept so long and so many; the oldest go first.
dead_letter_retention = 30 * 24 * 60 * 60  # seconds
dead_letter_maximum = 100_000
# How often a task may be put back into its queue from there before that takes --force.
dead_letter_most_requeues = 3
# Is given the name and the value of each argument, and returns what may be seen of it.
dead_letter_redact = f"{__package__}.celery_runtime.dead_letters.redaction:mask_secrets"

# The longest time limit of any task is a number of its own where a task states more than the one above.
broker_transport_options = broker.transport_options(
    broker_url, project=__package__, longest_task=task_time_limit
)
# Seconds in which a server must have answered: the broker, and the Redis of the results, which is asked up to three times.
broker_connection_timeout = broker.PATIENCE
redis_socket_connect_timeout = redis_socket_timeout = 1.0
broker_connection_retry_on_startup = True
# With the stock limit of 100 attempts a worker ends while its broker is away for long.
broker_connection_max_retries = None
# A Redis that takes no writes for a while, in a failover or when it is full, does not end a worker.
broker_channel_error_retry = broker.is_redis(broker_url)
# RabbitMQ hands out a lost connection's messages at once: without this they would run twice at the
# same time. On Redis a worker keeps what it runs, and ends it.
worker_cancel_long_running_tasks_on_connection_loss = broker.is_rabbitmq(broker_url)
# With the stock policy a caller hangs for many seconds when the broker is down.
task_publish_retry_policy = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}
