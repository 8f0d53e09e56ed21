"""Where results are kept. None: on the broker, if it is a Redis. `CELERY_RESULT_BACKEND` wins over it."""

DEFAULT = None
