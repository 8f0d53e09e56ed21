import pytest

WRONG = {
    "unset outside development": (
        {"APP_ENV": "production", "CELERY_BROKER_URL": ""},
        "CELERY_BROKER_URL is not set",
    ),
    "unknown environment": ({"APP_ENV": "prod"}, "APP_ENV='prod' is unknown"),
    "unknown broker": ({"CELERY_BROKER_URL": "sqs://key"}, "CELERY_BROKER_URL starts with 'sqs'"),
    "no number": ({"CELERY_WORKER_CONCURRENCY": "many"}, "CELERY_WORKER_CONCURRENCY='many'"),
    "zero": ({"CELERY_TASK_TIME_LIMIT": "0"}, "CELERY_TASK_TIME_LIMIT='0'"),
    "soft above hard": ({"CELERY_TASK_SOFT_TIME_LIMIT": "400"}, "CELERY_TASK_SOFT_TIME_LIMIT (400 s)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_one_line_and_nothing_starts(copy, case):
    environment, problem = WRONG[case]
    done = copy.celery("worker", DJANGO_SECRET_KEY="set", **environment)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {problem}")


def test_the_environment_overrides_the_settings(copy):
    code = """
        from PACKAGE import app
        names = ("broker_url", "result_backend", "worker_concurrency", "task_time_limit", "task_soft_time_limit")
        print(*(app.conf[name] for name in names))
    """
    given = {
        "CELERY_BROKER_URL": "amqp://somewhere//",
        "CELERY_RESULT_BACKEND": "redis://elsewhere/3",
        "CELERY_WORKER_CONCURRENCY": "7",
        "CELERY_TASK_TIME_LIMIT": "60",
        "CELERY_TASK_SOFT_TIME_LIMIT": "50",
    }
    assert copy.run(code, **given).split() == list(given.values())


def test_what_protects_from_loss_and_disorder_is_set(copy):
    code = """
        from PACKAGE import app
        conf = app.conf
        assert (conf.task_acks_late, conf.worker_prefetch_multiplier) == (True, 1)
        assert conf.task_create_missing_queues is False
        assert app.amqp.queues["tasks"].queue_arguments["x-max-priority"] == 10
        assert conf.task_default_queue == "tasks"
        assert conf.result_expires == 86400
        assert conf.task_soft_time_limit < conf.task_time_limit
        options = conf.broker_transport_options
        assert options["global_keyprefix"] == "PACKAGE:"
        assert options["visibility_timeout"] > conf.task_time_limit
    """
    copy.run(code)
    rabbitmq = (
        "from PACKAGE import app; assert app.conf.broker_transport_options == {'confirm_publish': True}"
    )
    copy.run(rabbitmq, CELERY_BROKER_URL="amqp://somewhere//")
