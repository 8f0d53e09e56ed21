"""Settings of Django, then those of Celery, each of these with the prefix `CELERY_`."""

from pathlib import Path

import dj_database_url

from celery_runtime import environment
from celery_runtime.brokers import urls

from . import queues, results, schedule

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = environment.is_development()
SECRET_KEY = environment.required("DJANGO_SECRET_KEY", in_development="for-development-only")
ALLOWED_HOSTS = list(environment.names("DJANGO_ALLOWED_HOSTS"))

# A browser sends these cookies over HTTPS alone; in development there is none.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "celery_runtime.django.admin",
    *results.INSTALLED_APPS,
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = f"{__package__}.urls"
WSGI_APPLICATION = f"{__package__}.wsgi.application"

DATABASE_URL = environment.required("DATABASE_URL", in_development=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
DATABASES = {"default": dj_database_url.parse(DATABASE_URL)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Several worker processes write: wait for one another instead of failing with "database is locked".
    DATABASES["default"]["OPTIONS"] = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

# Celery. The protective settings, each with its reason, are in celery_runtime/defaults.py. Any of them may be
# stated here, and wins.
CELERY_BROKER_URL = urls.broker_url()
CELERY_RESULT_BACKEND = urls.results_url(CELERY_BROKER_URL, default=results.DEFAULT)
CELERY_RESULT_EXPIRES = 24 * 60 * 60  # seconds

# A task file: any file in celery_tasks/ and its sub-folders that matches this pattern.
CELERY_TASK_FILE_PATTERN = "ex*.py"
CELERY_TASK_QUEUES = queues.QUEUES
CELERY_TASK_DEFAULT_QUEUE = queues.DEFAULT_QUEUE

CELERY_BEAT_SCHEDULE = schedule.SCHEDULE
CELERY_TIMEZONE = TIME_ZONE  # of the crontabs in schedule.py

CELERY_WORKER_CONCURRENCY = environment.positive_integer("CELERY_WORKER_CONCURRENCY", default="auto")
# Seconds that running tasks have to end after a SIGTERM, before they go back to their queue. It must be less than
# what your platform allows: Docker 10 s, Kubernetes 30 s, systemd 90 s.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = environment.positive_integer("CELERY_SOFT_SHUTDOWN_TIMEOUT", default=20)

# Seconds. At the soft limit SoftTimeLimitExceeded is raised in the task, at the hard one its process is killed.
CELERY_TASK_TIME_LIMIT = environment.positive_integer("CELERY_TASK_TIME_LIMIT", default=300)
CELERY_TASK_SOFT_TIME_LIMIT = environment.positive_integer("CELERY_TASK_SOFT_TIME_LIMIT", default=270)
# Megabytes that the process of a task may allocate before it gets a MemoryError. Only on Linux.
CELERY_TASK_MEMORY_LIMIT = environment.positive_integer("CELERY_TASK_MEMORY_LIMIT", default=None)

# How long, and how many, dead letters are kept; the oldest go first.
CELERY_DEAD_LETTER_RETENTION = 30 * 24 * 60 * 60  # seconds
CELERY_DEAD_LETTER_MAXIMUM = 100_000
