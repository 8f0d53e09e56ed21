"""Where results are kept: in Redis, the broker's own unless `CELERY_RESULT_BACKEND` names another."""

from .celery_runtime import broker

INSTALLED_APPS: list[str] = []


def url(broker_url: str) -> str:
    return broker.redis_results_url(broker_url)
