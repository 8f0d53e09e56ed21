"""Promises of the settings and of the embedded broker."""

from .mutation import RUNTIME, Mutation

MUTATIONS = (
    Mutation(
        "a message is done when its task is",
        f"{RUNTIME}/defaults.py",
        '"task_acks_late": True',
        '"task_acks_late": False',
        "test_environment",
    ),
    Mutation(
        "a broker must be named outside development",
        f"{RUNTIME}/brokers/urls.py",
        "if environment.is_development():",
        "if True:",
        "test_environment",
    ),
    Mutation(
        "CELERY_BROKER_URL wins",
        f"{RUNTIME}/brokers/urls.py",
        'value = environment.text("CELERY_BROKER_URL")',
        "value = None",
        "test_environment or test_priorities",
    ),
    Mutation(
        "one process starts the embedded broker",
        f"{RUNTIME}/brokers/embedded.py",
        "fcntl.flock(lock, fcntl.LOCK_EX)",
        "pass",
        "test_embedded_broker",
    ),
    Mutation(
        "the embedded broker's folder is private",
        f"{RUNTIME}/brokers/embedded.py",
        "if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077 or status.st_uid != os.getuid():",
        "if False:",
        "test_embedded_broker",
    ),
    Mutation(
        "importing the settings starts nothing",
        f"{RUNTIME}/brokers/urls.py",
        "        return PROJECT_BROKER.url(database)",
        "        PROJECT_BROKER.start()\n        return PROJECT_BROKER.url(database)",
        "test_embedded_broker",
    ),
    Mutation(
        "what a project states wins over a protective setting",
        f"{RUNTIME}/app.py",
        "return ChainMap(merged, conf, ",
        "return ChainMap(merged, {key(name): value for name, value in ours.items()}, conf, ",
        "test_defaults",
    ),
    Mutation(
        "one stated transport option leaves the others",
        f"{RUNTIME}/app.py",
        "return ChainMap(merged, conf, ",
        "return ChainMap(conf, ",
        "test_defaults",
    ),
    Mutation(
        "the .env of the project is read",
        f"{RUNTIME}/environment.py",
        '        load_dotenv(folder / ".env")',
        "        pass",
        "test_environment",
    ),
    Mutation(
        "the .env of the project is not read in tests",
        f"{RUNTIME}/environment.py",
        'if os.environ.get("APP_ENV") == "test":',
        "if False:",
        "test_environment",
    ),
    Mutation(
        "a test run that is told to end leaves nothing running",
        f"{RUNTIME}/testing/__init__.py",
        "    _end_on_signals()\n",
        "",
        "test_ends_of_a_run",
    ),
)
