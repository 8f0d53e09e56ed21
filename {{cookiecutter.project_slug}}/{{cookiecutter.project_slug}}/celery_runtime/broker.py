"""The settings that depend on the broker, told by its URL alone."""

from typing import Any

from . import environment
from .embedded import PROJECT_BROKER
from .environment import ConfigurationError

REDIS_SCHEMES = ("redis", "rediss", "redis+socket", "sentinel")
PATIENCE = 2.0  # seconds in which a server must have answered
SILENCE = 5.0  # seconds: that a worker bears with, which asks each second
MARGIN = 60  # seconds from a message's delivery to the start of its task, and from its time limit to its end
CONSUMER_TIMEOUT = 30 * 60.0  # seconds: RabbitMQ's, where rabbitmq.conf says nothing else
VISIBILITY_TIMEOUT = 60 * 60.0  # seconds: kombu's, where the transport options say nothing else

RABBITMQ_SCHEMES = ("amqp", "amqps", "pyamqp")


def scheme(url: str) -> str:
    return url.partition("://")[0]


def is_redis(url: str) -> bool:
    return scheme(url) in REDIS_SCHEMES


def is_rabbitmq(url: str) -> bool:
    return scheme(url) in RABBITMQ_SCHEMES


def url() -> str:
    """Return `CELERY_BROKER_URL`; in development, when it is unset, the URL of the embedded broker.

    Raises:
        ConfigurationError: it is unset outside development, or of an unknown scheme.
    """
    environment.app_env()  # a misspelt one is told even where the URL below is set
    value = environment.text("CELERY_BROKER_URL")
    if value is None:
        return _embedded("CELERY_BROKER_URL", database=0)
    if not (is_redis(value) or is_rabbitmq(value)):
        raise ConfigurationError(
            f"CELERY_BROKER_URL starts with {scheme(value)!r}",
            f"Use one of: {', '.join(f'{known}://' for known in REDIS_SCHEMES + RABBITMQ_SCHEMES)}.",
        )
    return value


def redis_results_url(broker_url: str) -> str:
    """Return `CELERY_RESULT_BACKEND`; when it is unset, the broker itself if it is a Redis.

    Raises:
        ConfigurationError: it is unset outside development and the broker is no Redis.
    """
    value = environment.text("CELERY_RESULT_BACKEND")
    if value is not None:
        return value
    if broker_url == PROJECT_BROKER.url(0):
        return PROJECT_BROKER.url(1)
    return broker_url if is_redis(broker_url) else _embedded("CELERY_RESULT_BACKEND", database=1)


def _embedded(variable: str, database: int) -> str:
    if environment.is_development():
        return PROJECT_BROKER.url(database)
    raise ConfigurationError(
        f"{variable} is not set, and APP_ENV is {environment.app_env()!r}",
        "Set it, for instance to redis://127.0.0.1:6379/0; the embedded broker is for development only.",
    )


def longest_hold(conf: Any) -> float:
    """Return the seconds for which a worker may hold a message before the broker hands it out a second time."""
    if is_rabbitmq(conf.broker_read_url or conf.broker_url):
        return float(conf.get("rabbitmq_consumer_timeout", CONSUMER_TIMEOUT))
    return float(conf.broker_transport_options.get("visibility_timeout", VISIBILITY_TIMEOUT))


def patience(driver_type: str) -> dict[str, float]:
    """Return the transport options of a connection that publishes: how long it waits for a server that is silent."""
    names = ("socket_timeout",) if driver_type == "redis" else ("read_timeout", "write_timeout")
    return dict.fromkeys(names, PATIENCE)


def transport_options(url: str, project: str, longest_task: int) -> dict[str, Any]:
    """Return `broker_transport_options` for the URL.

    Args:
        project: the prefix of all keys on Redis.
        longest_task: the longest time limit of any task, in seconds. So long, and a little longer, it takes on Redis
            until the tasks of a worker that was killed run again.
    """
    if is_rabbitmq(url):
        return {
            # Without confirms a message is lost silently when the broker restarts before it is written.
            "confirm_publish": True,
        }
    return {
        # Two projects on one Redis would share the list `tasks` and run each other's messages.
        "global_keyprefix": f"{project}:",
        # What runs longer than this is handed out a second time, so it must exceed every time limit.
        "visibility_timeout": longest_task + MARGIN,
        # kombu looks for messages of dead workers about every 100 seconds; this makes it every 5.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": PATIENCE,
        # A server that is silent, or a connection that a firewall dropped, would otherwise hang the worker for good.
        "socket_timeout": SILENCE,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }


def result_transport_options(project: str) -> dict[str, Any]:
    """Return `result_backend_transport_options`, which only the Redis backend reads."""
    return {
        "global_keyprefix": f"{project}:",
        # A client with no server would hang for 19 seconds instead of failing at once.
        "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
    }
