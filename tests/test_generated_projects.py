"""Each combination of options, as its user would check it: style, types, imports, worker, its own tests."""

import filecmp

import pytest

from .conftest import COMBINATIONS, combination_id
from .workers import running_worker

pytestmark = pytest.mark.baked

every_combination = pytest.mark.parametrize("answers", COMBINATIONS, ids=combination_id)
# The broker is told by its URL alone: it changes no Python file, as the first test shows.
every_python = pytest.mark.parametrize(
    "answers", [answers for answers in COMBINATIONS if answers["broker"] == "redis"], ids=combination_id
)

# Each framework and each result backend on both brokers; the others use the embedded one alone.
WITH_A_BROKER = {
    ("django", "redis", "redis"),
    ("django", "rabbitmq", "database"),
    ("plain", "redis", "database"),
    ("plain", "rabbitmq", "redis"),
}


@every_python
def test_the_broker_option_changes_no_python_file(baked, answers):
    redis, rabbitmq = baked(**answers), baked(**{**answers, "broker": "rabbitmq"})
    for path in redis.path.rglob("*.py"):
        if ".venv" not in path.parts:
            other = rabbitmq.path / path.relative_to(redis.path)
            assert filecmp.cmp(path, other, shallow=False), path


@every_combination
def test_style_and_types_are_clean(baked, answers):
    done = baked(installed=True, **answers).run("make", "lint")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Success: no issues found" in done.stdout


@every_python
def test_every_module_imports_alone_in_a_fresh_process(baked, answers):
    project = baked(installed=True, **answers)
    setup = "import django; django.setup(); " if answers["framework"] == "django" else ""
    settings = {"DJANGO_SETTINGS_MODULE": f"{project.slug}.settings"} if setup else {}
    modules = [
        ".".join(path.relative_to(project.path).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(project.package.rglob("*.py"))
    ]
    assert len(modules) > 20
    for module in modules:
        code = f"{setup}import importlib; importlib.import_module({module!r})"
        done = project.run(project.python, "-W", "error::DeprecationWarning:shop", "-c", code, **settings)
        assert (done.returncode, done.stderr) == (0, ""), module


@every_combination
def test_a_worker_starts_on_the_chosen_broker_and_runs_an_example(baked, answers, request, tmp_path):
    project = baked(installed=True, **answers)
    broker_url = request.getfixturevalue(f"{answers['broker']}_url")
    environment = {"CELERY_BROKER_URL": broker_url}
    if answers["result_backend"] == "redis":
        environment["CELERY_RESULT_BACKEND"] = request.getfixturevalue("redis_url")
    elif answers["framework"] == "django":
        environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'db.sqlite3'}"
        project.run(project.python, "manage.py", "migrate", check=True, **environment)
    else:
        environment["CELERY_RESULT_BACKEND"] = f"db+sqlite:///{tmp_path / 'results.sqlite3'}"
    with running_worker(project, tmp_path / "log", concurrency=2, **environment) as worker:
        code = (
            "from celery import chord; from shop.celery_tasks import ex1_try_except, ex3_auto_retry\n"
            "ex1_try_except.run_tasks(); run = ex3_auto_retry.succeed_on_run\n"
            "print(chord([run.s(1), run.s(1)])(run.si(1)).get(timeout=20))"
        )
        shell = ["manage.py", "shell", "--verbosity", "0"] if answers["framework"] == "django" else []
        printed = project.run(project.python, *shell, "-c", code, check=True, **environment).stdout
    outcomes = ["a small order: paid", "a large one: declined", "requests for two orders: 3"]
    assert printed.splitlines() == [*outcomes, "1"]
    assert "Traceback" not in worker.output()


@every_combination
def test_its_own_tests_pass(baked, answers, request):
    variable = f"TEST_{answers['broker'].upper()}_URL"
    on_its_broker = tuple(answers.values()) in WITH_A_BROKER
    broker = {variable: request.getfixturevalue(f"{answers['broker']}_url")} if on_its_broker else {}
    done = baked(installed=True, **answers).run("make", "test", **broker)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (f"{variable} names no broker" not in done.stdout) == on_its_broker
    assert " failed" not in done.stdout
