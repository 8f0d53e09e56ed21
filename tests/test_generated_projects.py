"""Each combination of options, as its user would check it: style, types, imports, worker, its own tests."""

import filecmp

import pytest

from scripts.examples import result_backend

from .conftest import COMBINATIONS, combination_id
from .examples.run import run_all

pytestmark = pytest.mark.baked

# The broker is told by its URL alone: it changes no Python file, as the first test shows.
every_python = pytest.mark.parametrize(
    "answers", [answers for answers in COMBINATIONS if answers["broker"] == "redis"], ids=combination_id
)

# Each Python once, and each framework and each result backend on both brokers. `make examples` runs the others too.
HALF = [
    answers
    for answers in COMBINATIONS
    if (answers["framework"] == "django") ^ (answers["broker"] == "redis") ^ (answers["result_backend"] == "redis")
]
every_pair = pytest.mark.parametrize("answers", HALF, ids=combination_id)


@every_python
def test_the_broker_option_changes_no_python_file(baked, answers):
    redis, rabbitmq = baked(**answers), baked(**{**answers, "broker": "rabbitmq"})
    for path in redis.path.rglob("*.py"):
        if ".venv" not in path.parts:
            other = rabbitmq.path / path.relative_to(redis.path)
            assert filecmp.cmp(path, other, shallow=False), path


@every_python
def test_style_and_types_are_clean(baked, answers):
    done = baked(installed=True, **answers).run("make", "lint")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Success: no issues found" in done.stdout


IMPORT_ALONE = """
import importlib, os, sys, traceback
import celery.apps.worker, celery.bin.celery, kombu.transport.pyamqp, kombu.transport.redis
{setup}
for module in {modules}:
    if os.fork() == 0:
        try:
            importlib.import_module(module)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.wait()[1]:
        print(module)
"""


@every_python
def test_every_module_imports_alone(baked, answers):
    project = baked(installed=True, **answers)
    setup = "import django; django.setup()" if answers["framework"] == "django" else ""
    settings = {"DJANGO_SETTINGS_MODULE": f"{project.slug}.settings"} if setup else {}
    modules = [
        ".".join(path.relative_to(project.path).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(project.package.rglob("*.py"))
    ]
    assert len(modules) > 20
    code = IMPORT_ALONE.format(setup=setup, modules=modules)
    done = project.run(project.python, "-W", "error::DeprecationWarning:shop", "-c", code, **settings)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@every_pair
def test_each_example_prints_what_its_docstring_says(baked, answers, request, tmp_path):
    project = baked(installed=True, **answers)
    redis_url = request.getfixturevalue("redis_url")
    broker_url = request.getfixturevalue("rabbitmq_url") if answers["broker"] == "rabbitmq" else redis_url
    environment = {"CELERY_BROKER_URL": broker_url, **result_backend(answers, tmp_path, redis_url)}
    outcomes = run_all(project, tmp_path / "log", **environment)
    assert len(outcomes) == 16 + (answers["framework"] == "django")
    assert {one.name: one.printed for one in outcomes} == {one.name: one.promised for one in outcomes}


@every_pair
def test_its_own_tests_pass(baked, answers, request):
    broker = {"TEST_BROKER_URL": request.getfixturevalue("rabbitmq_url")} if answers["broker"] == "rabbitmq" else {}
    done = baked(installed=True, **answers).run("make", "test", **broker)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout
