"""Where results are kept, unless `CELERY_RESULT_BACKEND` names another place: on the broker, if it is a Redis."""

INSTALLED_APPS: list[str] = []
DEFAULT = None
