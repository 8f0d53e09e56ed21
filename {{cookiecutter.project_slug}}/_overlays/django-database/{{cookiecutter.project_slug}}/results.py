"""Where results are kept: in Django's own database, unless `CELERY_RESULT_BACKEND` names another place."""

from .celery_runtime import environment

INSTALLED_APPS = ["django_celery_results"]


def url(_broker_url: str) -> str:
    return environment.text("CELERY_RESULT_BACKEND") or "django-db"
