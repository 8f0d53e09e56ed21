"""Where results are kept, unless `CELERY_RESULT_BACKEND` names another place: in Django's own database."""

INSTALLED_APPS = ["django_celery_results"]
DEFAULT = "django-db"
