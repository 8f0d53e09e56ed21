from shop import app


def test_without_a_broker_nothing_starts_outside_development(copy):
    done = copy.celery("worker", APP_ENV="production", DJANGO_SECRET_KEY="set", CELERY_BROKER_URL="")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: CELERY_BROKER_URL is not set")


def test_what_protects_from_loss_and_disorder_is_set():
    conf = app.conf
    assert (conf.task_acks_late, conf.worker_prefetch_multiplier) == (True, 1)
    assert conf.task_create_missing_queues is False
    assert app.amqp.queues["tasks"].queue_arguments["x-max-priority"] == 10
    assert conf.task_default_queue == "tasks"
    assert conf.result_expires == 86400
    assert conf.task_soft_time_limit < conf.task_time_limit
