"""Settings of Django, then those of Celery, each of these with the prefix `CELERY_`."""

from pathlib import Path

import dj_database_url

from . import queues, results, schedule
from .celery_runtime import broker, environment

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
    f"{__package__}.celery_runtime.dead_letters_admin",
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

DATABASES = {"default": dj_database_url.config(default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
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

CELERY_BROKER_URL = broker.url()
CELERY_RESULT_BACKEND = results.url(CELERY_BROKER_URL)

# A task file: any file of this name in celery_tasks/ and its sub-folders.
CELERY_TASK_FILE_PATTERN = "ex*.py"

CELERY_BEAT_SCHEDULE = schedule.SCHEDULE
CELERY_TIMEZONE = TIME_ZONE  # of the crontabs in schedule.py

CELERY_TASK_QUEUES = queues.QUEUES
CELERY_TASK_DEFAULT_QUEUE = queues.DEFAULT_QUEUE
CELERY_TASK_DEFAULT_EXCHANGE = queues.DEFAULT_QUEUE
CELERY_TASK_DEFAULT_ROUTING_KEY = queues.DEFAULT_QUEUE
# With True, a misspelt queue is created without a word and nobody reads it.
CELERY_TASK_CREATE_MISSING_QUEUES = False

CELERY_WORKER_CONCURRENCY = environment.positive_integer("CELERY_WORKER_CONCURRENCY", default="auto")
# A worker takes a message only when a process is free, so that an urgent one never waits behind
# others that the worker already holds.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A message is done when its task is, not when it starts: a killed worker loses nothing, but a task may
# run twice.
CELERY_TASK_ACKS_LATE = True
# Workers hold the tasks that wait for their time. One that holds as many as a limit allows takes nothing
# else, however urgent.
CELERY_WORKER_ETA_TASK_LIMIT = None

# Seconds. At the soft limit SoftTimeLimitExceeded is raised in the task, at the hard one it is killed.
CELERY_TASK_TIME_LIMIT = environment.positive_integer("CELERY_TASK_TIME_LIMIT", default=300)
CELERY_TASK_SOFT_TIME_LIMIT = environment.positive_integer("CELERY_TASK_SOFT_TIME_LIMIT", default=270)
environment.check_time_limits(CELERY_TASK_SOFT_TIME_LIMIT, CELERY_TASK_TIME_LIMIT)
# Megabytes that the process of a task may allocate before it gets a MemoryError. Only on Linux.
CELERY_TASK_MEMORY_LIMIT = environment.positive_integer("CELERY_TASK_MEMORY_LIMIT", default=None)
# Seconds that running tasks have to end after a SIGTERM, before they go back to their queue. It must be less than
# what your platform allows: Docker 10 s, Kubernetes 30 s, systemd 90 s.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = environment.positive_integer("CELERY_SOFT_SHUTDOWN_TIMEOUT", default=20)

# Results are kept for `.get()` and chords; a task whose result nobody reads sets ignore_result=True.
CELERY_RESULT_EXPIRES = 24 * 60 * 60  # seconds
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = broker.result_transport_options(__package__)

# What has failed for good is kept so long and so many; the oldest go first.
CELERY_DEAD_LETTER_RETENTION = 30 * 24 * 60 * 60  # seconds
CELERY_DEAD_LETTER_MAXIMUM = 100_000
# How often a task may be put back into its queue from there before that takes --force.
CELERY_DEAD_LETTER_MOST_REQUEUES = 3
# Is given the name and the value of each argument, and returns what may be seen of it.
CELERY_DEAD_LETTER_REDACT = f"{__package__}.celery_runtime.dead_letters.redaction:mask_secrets"

# The longest time limit of any task is a number of its own where a task states more than the one above.
CELERY_BROKER_TRANSPORT_OPTIONS = broker.transport_options(
    CELERY_BROKER_URL, project=__package__, longest_task=CELERY_TASK_TIME_LIMIT
)
# Seconds in which a server must have answered: the broker, and the Redis of the results, which is asked up to three times.
CELERY_BROKER_CONNECTION_TIMEOUT = broker.PATIENCE
CELERY_REDIS_SOCKET_CONNECT_TIMEOUT = CELERY_REDIS_SOCKET_TIMEOUT = 1.0
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# With the stock limit of 100 attempts a worker ends while its broker is away for long.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A Redis that takes no writes for a while, in a failover or when it is full, does not end a worker.
CELERY_BROKER_CHANNEL_ERROR_RETRY = broker.is_redis(CELERY_BROKER_URL)
# RabbitMQ hands out a lost connection's messages at once: without this they would run twice at the
# same time. On Redis a worker keeps what it runs, and ends it.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = broker.is_rabbitmq(CELERY_BROKER_URL)
# With the stock policy a caller hangs for many seconds when the broker is down.
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}
