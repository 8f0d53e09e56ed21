"""Which broker a URL names, and the URLs that the environment names."""

from typing import Any

from celery_runtime import environment
from celery_runtime.brokers.embedded import PROJECT_BROKER
from celery_runtime.environment import ConfigurationError

REDIS = ("redis://", "rediss://", "redis+socket://", "sentinel://")
RABBITMQ = ("amqp://", "amqps://", "pyamqp://")
CONSUMER_TIMEOUT = 30 * 60.0  # seconds: RabbitMQ's, where rabbitmq.conf says nothing else
VISIBILITY_TIMEOUT = 60 * 60.0  # seconds: kombu's, where the transport options say nothing else


def is_redis(url: str) -> bool:
    return url.startswith(REDIS)


def is_rabbitmq(url: str) -> bool:
    return url.startswith(RABBITMQ)


def broker_url() -> str:
    """Return `CELERY_BROKER_URL`; in development, when it is unset, the URL of the embedded broker.

    If it is unset elsewhere, or its scheme is unknown, that is a `ConfigurationError`.
    """
    environment.app_env()  # a misspelt one is told even where the URL below is set
    value = environment.text("CELERY_BROKER_URL")
    if value is None:
        return _embedded("CELERY_BROKER_URL", database=0)
    if not value.startswith(REDIS + RABBITMQ):
        problem = f"CELERY_BROKER_URL starts with {value.partition('://')[0]!r}"
        raise ConfigurationError(problem, f"Use one of: {', '.join(REDIS + RABBITMQ)}.")
    return value


def results_url(broker_url: str, default: str | None = None) -> str:
    """Return `CELERY_RESULT_BACKEND`; when it is unset, `default`; without one, the broker if that is a Redis.

    If nothing names a place for results, outside development, that is a `ConfigurationError`.
    """
    value = environment.text("CELERY_RESULT_BACKEND") or default
    if value is None and is_redis(broker_url):
        value = PROJECT_BROKER.url(1) if broker_url == PROJECT_BROKER.url(0) else broker_url
    return _embedded("CELERY_RESULT_BACKEND", database=1) if value is None else value


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
