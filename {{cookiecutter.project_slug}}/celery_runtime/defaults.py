"""The protective settings of Celery, each once, with its reason. What your settings state wins over any of them.

They are computed from what you state: the transport options from the broker's URL. `broker_transport_options` and
`result_backend_transport_options` are merged option by option.

Source: https://docs.celeryq.dev/en/stable/userguide/configuration.html, under the name of each setting.
"""

import ssl
from collections.abc import Callable
from typing import Any

from celery_runtime.brokers import urls
from celery_runtime.brokers.connection import PATIENCE
from celery_runtime.brokers.priorities import LEVELS
from celery_runtime.environment import ConfigurationError

TIME_LIMIT, SOFT_TIME_LIMIT = 300, 270  # seconds
LEASE = 60  # seconds
WORKER_SILENCE = 5.0  # seconds that a worker waits for an answer of Redis, which it asks each second
MERGED = ("broker_transport_options", "result_backend_transport_options")
VERIFIED = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
ONE_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}


def settings(project: str, stated: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Return the protective settings of the project whose package has this name.

    `stated` returns what the user's settings say under a name, or the default that is given. If the soft time limit is
    not below the hard one, that is a `ConfigurationError`.
    """
    url = stated("broker_write_url", None) or stated("broker_url", None) or ""
    queue = stated("task_default_queue", "celery")
    hard, soft = stated("task_time_limit", TIME_LIMIT), stated("task_soft_time_limit", SOFT_TIME_LIMIT)
    # `tasks check` reports wrong types.
    if isinstance(soft, int | float) and isinstance(hard, int | float) and 0 < hard <= soft:
        problem = f"CELERY_TASK_SOFT_TIME_LIMIT ({soft} s) is not below CELERY_TASK_TIME_LIMIT ({hard} s)"
        raise ConfigurationError(problem, "Raise the hard limit or lower the soft one.")
    results = stated("result_backend", None) or ""
    for place, options_of in ((url, MERGED[0]), (results, MERGED[1])):
        if place.startswith("sentinel://") and "master_name" not in (stated(options_of, None) or {}):
            raise ConfigurationError(f"{options_of} has no master_name, which a sentinel:// URL needs", "State it.")
    # Without confirms a message is lost silently when RabbitMQ restarts before it is written.
    options = {"confirm_publish": True} if urls.is_rabbitmq(url) else _redis_options(project)
    return {
        # Without limits a task that hangs occupies its process for ever.
        "task_time_limit": hard,
        "task_soft_time_limit": soft,
        # A queue whose exchange has another name would get no message.
        "task_default_exchange": queue,
        "task_default_routing_key": queue,
        # With True, a misspelt queue is created without a word and nobody reads it.
        "task_create_missing_queues": False,
        # A worker takes a message only when a process is free, so that an urgent one never waits behind others
        # that the worker already holds.
        "worker_prefetch_multiplier": 1,
        # A message is done when its task is, not when it starts: a killed worker loses nothing; a task may run twice.
        "task_acks_late": True,
        # Seconds that running tasks have to end after a SIGTERM, before they go back to their queue.
        "worker_soft_shutdown_timeout": 20,
        # Seconds after these in which a stop that hangs is ended by force.
        "worker_exit_timeout": 10.0,
        # Seconds between two signs of life to the probe, whose limit must be well above.
        "worker_liveness_interval": 5.0,
        "beat_max_loop_interval": 5.0,
        # The first two keep dead letters from filling the broker. The third ends what a script requeues for ever.
        "dead_letter_retention": 30 * 24 * 60 * 60,  # seconds
        "dead_letter_maximum": 100_000,
        "dead_letter_most_requeues": 3,
        # On RabbitMQ it is in the names of queues and exchanges, as global_keyprefix is in the keys of Redis.
        "broker_transport_options": {"project": project, **options},
        # kombu would not verify the server, and Celery would refuse its URL. RabbitMQ's: rabbitmq_transport.py.
        "broker_use_ssl": VERIFIED if url.startswith("rediss://") else None,
        "redis_backend_use_ssl": VERIFIED if results.startswith("rediss://") else None,
        # Only the Redis backend reads them. With its stock policy a client with no server hangs for 19 seconds.
        "result_backend_transport_options": {"global_keyprefix": f"{project}:", "retry_policy": dict(ONE_RETRY)},
        # Seconds in which a server must have answered: the broker, and the Redis of the results, which is asked up
        # to three times.
        "broker_connection_timeout": PATIENCE,
        "redis_socket_connect_timeout": 1.0,
        "redis_socket_timeout": 1.0,
        "broker_connection_retry_on_startup": True,
        # With the stock limit of 100 attempts a worker ends while its broker is away for long.
        "broker_connection_max_retries": None,
        # A Redis that takes no writes for a while, in a failover or when it is full, does not end a worker.
        "broker_channel_error_retry": urls.is_redis(url),
        # RabbitMQ hands out a lost connection's messages at once: without this they would run twice at the same
        # time. On Redis a worker keeps what it runs, and ends it.
        "worker_cancel_long_running_tasks_on_connection_loss": urls.is_rabbitmq(url),
        # With the stock policy a caller hangs for many seconds when the broker is down.
        "task_publish_retry_policy": dict(ONE_RETRY),
        "worker_consumer": "celery_runtime.worker.consumer:Consumer",
    }


def _redis_options(project: str) -> dict[str, Any]:
    return {
        # Two projects on one Redis would share the list `tasks` and run each other's messages.
        "global_keyprefix": f"{project}:",
        # Tasks of a killed worker run again after this time. A worker that lives renews it for what it runs.
        "visibility_timeout": LEASE,
        # Monitors such as Flower count the lists by these; the transport has its own.
        "priority_steps": list(LEVELS[::-1]),
        "socket_connect_timeout": PATIENCE,
        # A server that is silent, or a connection that a firewall dropped, would otherwise hang the worker for good.
        "socket_timeout": WORKER_SILENCE,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
