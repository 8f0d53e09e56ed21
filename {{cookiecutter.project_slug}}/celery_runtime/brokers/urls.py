"""Which broker a URL names, and the URLs that the environment names."""

import math
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from celery.app.backends import BACKEND_ALIASES
from celery.utils.imports import load_extension_class_names

from celery_runtime import environment
from celery_runtime.brokers.embedded import PROJECT_BROKER
from celery_runtime.environment import ConfigurationError

REDIS = ("redis://", "rediss://", "redis+socket://", "sentinel://")
RABBITMQ = ("amqp://", "amqps://", "pyamqp://")
# The query of a URL may state these. All others belong into the transport options.
OPTIONS = ("ssl_", "heartbeat", "login_method", "virtual_host")
CONSUMER_TIMEOUT = 30 * 60.0  # seconds: RabbitMQ's, where rabbitmq.conf says nothing else


def is_redis(url: str) -> bool:
    return url.startswith(REDIS)


def is_rabbitmq(url: str) -> bool:
    return url.startswith(RABBITMQ)


def broker_url() -> str:
    """Return `CELERY_BROKER_URL`; in development, when it is unset, the URL of the embedded broker.

    Several URLs with `;` between are servers of which one that answers is used. If it is unset elsewhere, or one of
    them cannot be used, that is a `ConfigurationError`.
    """
    environment.app_env()  # a misspelt one is told even where the URL below is set
    value = environment.text("CELERY_BROKER_URL")
    if value is None:
        return _embedded("CELERY_BROKER_URL", database=0)
    for url in value.split(";"):
        if not url.startswith(REDIS + RABBITMQ):
            problem = f"CELERY_BROKER_URL starts with {url.partition(':')[0]!r}"
            raise ConfigurationError(problem, f"Use one of: {', '.join(REDIS + RABBITMQ)}.")
        for name in _check("CELERY_BROKER_URL", url):
            if not name.startswith(OPTIONS):
                problem = f"CELERY_BROKER_URL states {name}, which the query of a URL cannot have"
                raise ConfigurationError(problem, "State it in broker_transport_options, in settings.py.")
    return value


def results_url(broker_url: str, default: str | None = None) -> str:
    """Return `CELERY_RESULT_BACKEND`; when it is unset, `default`; without one, the broker if that is a Redis.

    If nothing names a place for results, outside development, or it cannot be used, that is a `ConfigurationError`.
    """
    stated = environment.text("CELERY_RESULT_BACKEND")
    value = stated or default
    if not stated and (default or "").startswith("db+sqlite") and environment.app_env() == "production":
        problem = "CELERY_RESULT_BACKEND is not set, and APP_ENV is 'production'"
        raise ConfigurationError(problem, "Name the database of the results; that of development is a file of SQLite.")
    if value is not None and is_redis(value):
        _check("CELERY_RESULT_BACKEND", value)
    elif value is not None:
        name = value.partition("://")[0].partition("+")[0]
        known = {**BACKEND_ALIASES, **dict(load_extension_class_names("celery.result_backends"))}
        if name not in known and "." not in name:  # with one it is the path of a class
            problem = f"CELERY_RESULT_BACKEND starts with {name.partition(':')[0]!r}"
            raise ConfigurationError(
                problem, f"Use one of: {', '.join(REDIS)}, db+postgresql://, or another of Celery's."
            )
    if value is None and is_redis(broker_url):  # of several, the first: results have one place
        value = PROJECT_BROKER.url(1) if broker_url == PROJECT_BROKER.url(0) else broker_url.partition(";")[0]
    return _embedded("CELERY_RESULT_BACKEND", database=1) if value is None else value


def _check(variable: str, url: str) -> dict[str, str]:
    """Refuse a URL with a slip in it; return the options in its query.

    The line shows no piece of it: most of these slips are in a password.
    """
    try:
        parts = urlsplit(url)
        # An unescaped /, ? or # cuts a password in two: its rest and the host are then in the path, query or fragment.
        is_wrong = parts.port == 0 or bool(parts.fragment) or "@" in parts.path + parts.query
        database = parts.path[1:] if url.startswith(("redis://", "rediss://", "sentinel://")) else ""
        if is_wrong or (database and not database.isdecimal()):
            raise ValueError
    except ValueError:
        remedy = "Its port and Redis database are numbers; in its user and password, / is %2F, ? %3F, # %23, [ %5B."
        raise ConfigurationError(f"{variable} cannot be read as a URL", remedy) from None
    options = dict(parse_qsl(parts.query))
    verified = options.get("ssl_cert_reqs", "required").removeprefix("CERT_").lower()
    if verified not in ("required", "optional", "none"):
        raise ConfigurationError(f"{variable} states an unknown ssl_cert_reqs", "Use required, which is the default.")
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in options and not Path(options[name]).is_file():
            problem = f"{variable} names a file by {name} that is not there: {options[name]}"
            raise ConfigurationError(problem, "Correct it.")
    return options


def _embedded(variable: str, database: int) -> str:
    if environment.is_development():
        return PROJECT_BROKER.url(database)
    remedy = "Set it, for instance to redis://127.0.0.1:6379/0; the embedded broker is for development only."
    raise ConfigurationError(f"{variable} is not set, and APP_ENV is {environment.app_env()!r}", remedy)


def longest_hold(conf: Any) -> float:
    """Return the seconds for which a task may run before the broker hands its message out a second time."""
    if is_rabbitmq(conf.broker_read_url or conf.broker_url):
        return float(conf.get("rabbitmq_consumer_timeout", CONSUMER_TIMEOUT))
    return math.inf  # the worker renews it
