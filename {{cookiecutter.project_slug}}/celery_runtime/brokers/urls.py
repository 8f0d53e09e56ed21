"""Which broker a URL names, and the URLs that the environment names."""

from typing import Any

from celery_runtime import environment
from celery_runtime.brokers.embedded import PROJECT_BROKER
from celery_runtime.environment import ConfigurationError

REDIS_SCHEMES = ("redis", "rediss", "redis+socket", "sentinel")
RABBITMQ_SCHEMES = ("amqp", "amqps", "pyamqp")
CONSUMER_TIMEOUT = 30 * 60.0  # seconds: RabbitMQ's, where rabbitmq.conf says nothing else
VISIBILITY_TIMEOUT = 60 * 60.0  # seconds: kombu's, where the transport options say nothing else


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def is_redis(url: str) -> bool:
    return _scheme(url) in REDIS_SCHEMES


def is_rabbitmq(url: str) -> bool:
    return _scheme(url) in RABBITMQ_SCHEMES


def broker_url() -> str:
    """Return `CELERY_BROKER_URL`; in development, when it is unset, the URL of the embedded broker.

    Raises:
        ConfigurationError: it is unset outside development, or its scheme is unknown.
    """
    environment.app_env()  # a misspelt one is told even where the URL below is set
    value = environment.text("CELERY_BROKER_URL")
    if value is None:
        return _embedded("CELERY_BROKER_URL", database=0)
    if not (is_redis(value) or is_rabbitmq(value)):
        raise ConfigurationError(
            f"CELERY_BROKER_URL starts with {_scheme(value)!r}",
            f"Use one of: {', '.join(f'{known}://' for known in REDIS_SCHEMES + RABBITMQ_SCHEMES)}.",
        )
    return value


def results_url(broker_url: str, default: str | None = None) -> str:
    """Return `CELERY_RESULT_BACKEND`; when it is unset, `default`; without one, the broker if that is a Redis.

    Raises:
        ConfigurationError: nothing names a place for results, outside development.
    """
    value = environment.text("CELERY_RESULT_BACKEND") or default
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
