import ast

import pytest

WITHOUT_THE_GROUP = """
import importlib.util

find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "pytest" else find_spec(name, *rest)
"""

WRONG = {
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


def test_production_is_not_taken_for_development(copy):
    (copy.root / "sitecustomize.py").write_text(WITHOUT_THE_GROUP)
    (copy.root / ".env").write_text("UNUSED=1\n")
    copy.environment.pop("APP_ENV")
    copy.environment["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
    for command in (("tasks", "check"), ("worker",), ("beat",), ("queues",)):
        done = copy.celery(*command)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert line.startswith(
            "error: APP_ENV is not set, and the development group is not installed. Set it to produc"
        )
    with (copy.root / ".env").open("a") as file:
        file.write("APP_ENV=production\nDJANGO_SECRET_KEY=set\nDATABASE_URL=sqlite:///:memory:\n")
    assert copy.celery("tasks", "check").returncode == 0


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


OPTIONS = "from PACKAGE import app; print(app.conf.broker_transport_options)"


def test_each_broker_has_the_options_that_it_needs(copy):
    redis = ast.literal_eval(copy.run(OPTIONS))
    assert redis["global_keyprefix"] == f"{copy.package}:"
    rabbitmq = ast.literal_eval(copy.run(OPTIONS, CELERY_BROKER_URL="amqp://somewhere//"))
    assert rabbitmq == {"confirm_publish": True, "project": copy.package}


def test_a_time_limit_does_not_change_the_lease(copy):
    limits = {"CELERY_TASK_TIME_LIMIT": "7200", "CELERY_TASK_SOFT_TIME_LIMIT": "7000"}
    assert ast.literal_eval(copy.run(OPTIONS, **limits))["visibility_timeout"] == 60


ASK = "from PACKAGE import app; print(app.conf.worker_concurrency)"


def test_a_dotenv_file_of_the_project_is_read_and_what_is_set_already_wins(copy):
    (copy.root / ".env").write_text("CELERY_WORKER_CONCURRENCY=7\n")
    assert copy.run(ASK, APP_ENV="development").strip() == "7"
    assert copy.run(ASK, APP_ENV="development", CELERY_WORKER_CONCURRENCY="3").strip() == "3"
    assert copy.run(ASK).strip() == "auto"  # a test run has settings of its own


def test_a_dotenv_file_that_cannot_be_read_is_one_line(copy):
    (copy.root / ".env").write_bytes(b"X=\xff\n")
    done = copy.celery("tasks", "check", APP_ENV="development")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {copy.root}/.env cannot be read ('utf-8' codec can't decode byte 0xff")
