import json
import shutil

import pytest

from celery_runtime.discovery.files import natural
from celery_runtime.testing.worker import WorkerProcess

NAMED_TASK = """
    from PACKAGE.celery_config import app

    @app.task(name="same", queue="tasks")
    def first_or_second(): ...
"""

BROKEN_FILES = {
    "ex1_syntax.py": "x = 1\ndef broken(:\n",
    "ex2_dependency.py": "import json\nimport no_such_package\n",
    "ex3_exception.py": "x = 1\n\nx / 0\n",
    "ex4_long_message.py": "raise RuntimeError('first line\\nsecond line')\n",
    "ex5_exit.py": "import sys\nsys.exit(3)\n",
    "ex6_name.py": NAMED_TASK,
    "ex7_same_name.py": NAMED_TASK,
    "ex8_twice.py": "from PACKAGE import app\n\n@app.task\ndef f(): ...\n\n@app.task\ndef f(): ...\n",
    "ex9_queue.py": "from PACKAGE import app\n\n@app.task(queue='taks')\ndef lost(): ...\n",
    "ex9_priority.py": "from PACKAGE import app\n\n@app.task(priority=11)\ndef f(): ...\n",
    "ex9_soft.py": "from PACKAGE import app\n\n@app.task(soft_time_limit=400)\ndef f(): ...\n",
    "ex9_words.py": "from PACKAGE import app\n\n@app.task(time_limit='1 h')\ndef f(): ...\n",
    "ex10.name.py": "",
    "ex11_folder.py/x.txt": "",
    "ex12_shadowed.py": "",
    "ex12_shadowed/__init__.py": "",
    "ex13_no_message.py": "\nraise SyntaxError\n",
    "ex14_mute.py": "class Mute(Exception):\n    def __str__(self):\n        raise RuntimeError\n\nraise Mute\n",
    "ex15_base.py": "class Skipped(BaseException): ...\n\nraise Skipped('no server')\n",
    "ex16_exit.py": "raise SystemExit('first line\\nsecond line')\n",
    "ex17_imports.py": "from ..mail import send\n",
    "ex18_imports_too.py": "from .. import mail\n",
    "ex20_async.py": "from PACKAGE import app\n\n@app.task(bind=True)\nasync def f(self): ...\n",
    "ex21_async_retried.py": ("from PACKAGE import app\n\n@app.task(autoretry_for=(OSError,))\nasync def f(): ...\n"),
    "ex22_yield.py": "from PACKAGE import app\n\n@app.task\ndef f():\n    yield 1\n",
    "ex23_pickle.py": "from PACKAGE import app\n\n@app.task(serializer='pickle')\ndef f(): ...\n",
    "ex24_unknown.py": "from PACKAGE import app\n\n@app.task(serializer='jason')\ndef f(): ...\n",
    "ex25_compression.py": "from PACKAGE import app\n\n@app.task(compression='rar')\ndef f(): ...\n",
    "ex26_rate.py": "from PACKAGE import app\n\n@app.task(rate_limit='10/week')\ndef f(): ...\n",
}
# For each file: line, a part of the problem, a part of the remedy.
PROBLEMS = {
    "ex1_syntax.py": (2, "SyntaxError", "Correct the syntax"),
    "ex2_dependency.py": (2, "No module named 'no_such_package'", "uv add no_such_package"),
    "ex3_exception.py": (3, "ZeroDivisionError", "Correct this line"),
    "ex4_long_message.py": (1, "RuntimeError: first line while", "Correct this line"),
    "ex5_exit.py": (2, "SystemExit: 3", "__main__"),
    "ex7_same_name.py": (5, "'same' is taken by PACKAGE/celery_tasks/ex6_name.py:5", "Rename one"),
    "ex8_twice.py": (7, "is taken by PACKAGE/celery_tasks/ex8_twice.py:4", "Rename one"),
    "ex9_queue.py": (3, "the queue 'taks'", "queues.py"),
    "ex9_priority.py": (3, "the priority 11", "from 0 to 9"),
    "ex9_soft.py": (3, "soft time limit of PACKAGE.celery_tasks.ex9_soft.f, 400 s, is", "State both"),
    "ex9_words.py": (3, "is '1 h'", "seconds"),
    "ex10.name.py": (1, "a dot", "ex10_name.py"),
    "ex11_folder.py": (1, "a folder", "Rename it to ex11_folder"),
    "ex12_shadowed.py": (1, "Python imports", "Rename one"),
    "ex13_no_message.py": (2, "SyntaxError: None while", "Correct this line"),
    "ex14_mute.py": (5, "Mute: <the message of this Mute cannot be read> while", "Correct this line"),
    "ex15_base.py": (3, "Skipped: no server while", "Correct this line"),
    "ex16_exit.py": (1, "SystemExit: first line)", "__main__"),
    "PACKAGE/mail.py": (2, "NameError: name 'nothing' is not defined while", "Correct this line"),  # once
    "ex20_async.py": (3, "ex20_async.f is an async function, whose body no worker runs", "asyncio.run(…)"),
    "ex21_async_retried.py": (3, "is an async function", "asyncio.run(…)"),
    "ex22_yield.py": (3, "ex22_yield.f has a yield: no worker runs its body", "return what it makes"),
    "ex23_pickle.py": (3, "the serializer 'pickle' of PACKAGE", "accept_content"),
    "ex24_unknown.py": (3, "the serializer 'jason' of PACKAGE", "accept_content"),
    "ex25_compression.py": (3, "the compression 'rar' of PACKAGE", "gzip"),
    "ex26_rate.py": (3, "the rate limit of PACKAGE.celery_tasks.ex26_rate.f is '10/week'", "'100/m'"),
}


def test_check_names_file_line_and_remedy_of_every_problem_at_once(copy):
    for file, source in BROKEN_FILES.items():
        copy.write(file, source)
    (copy.root / copy.package / "mail.py").write_text("\nsend = nothing\n")
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 1, done.stderr
    rows = json.loads(done.stdout)
    assert [natural(row["file"]) for row in rows] == sorted(natural(row["file"]) for row in rows)
    found = {row["file"].removeprefix(f"{copy.package}/celery_tasks/"): row for row in rows}
    expected = {file.replace("PACKAGE", copy.package): told for file, told in PROBLEMS.items()}
    assert sorted(found) == sorted(expected)
    assert len(rows) == len(expected)
    for file, (line, problem, remedy) in expected.items():
        assert found[file]["line"] == line, file
        assert problem.replace("PACKAGE", copy.package) in found[file]["problem"]
        assert remedy in found[file]["remedy"]


RUN_AS_A_FUNCTION = """
    import asyncio, functools
    from PACKAGE import app

    def run_to_its_end(function):
        @functools.wraps(function)
        def run(*args):
            return asyncio.run(function(*args))
        return run

    @app.task
    @run_to_its_end
    async def f(number):
        return number + 1
"""


def test_a_coroutine_that_a_decorator_runs_is_no_problem(copy, start):
    copy.write("ex1.py", RUN_AS_A_FUNCTION)
    start()
    assert copy.run("from PACKAGE.celery_tasks.ex1 import f; print(f.delay(1).get(timeout=10))") == "2\n"


def test_a_file_without_a_task_is_warned_of(copy):
    copy.write_note_task()
    copy.write("ex2.py", "def forgotten(): ...\n")
    copy.write("ex3.py", "from .ex1_note import note\n")
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 0, done.stdout
    told = [(row["file"].rpartition("/")[2], row["problem"], row["fatal"]) for row in json.loads(done.stdout)]
    assert told == [("ex2.py", "it has no task", False), ("ex3.py", "it has no task", False)]


LONG = """
    from PACKAGE import app

    @app.task(time_limit=1801, soft_time_limit=1800)
    def f(): ...
"""


def test_on_rabbitmq_the_consumer_timeout_bounds_the_time_limit(copy):
    copy.write("ex1.py", LONG)
    done = copy.celery("tasks", "check", CELERY_BROKER_URL="amqp://127.0.0.1//")
    assert done.returncode == 1
    assert "1801 s, is above the consumer_timeout of RabbitMQ, 1800 s" in done.stdout


NOT_BOUND = """
    from PACKAGE.celery_config import app

    class Skipped(BaseException): ...

    class Base(app.Task):
        @classmethod
        def on_bound(cls, app):
            raise Skipped("no server")

    @app.task(base=Base)
    def f(): ...
"""


@pytest.mark.parametrize(
    ("source", "problem"),
    {
        "from PACKAGE import app\n\n@app.task(base=int)\ndef f(): ...\n": "AttributeError: 'f'",
        NOT_BOUND: "Skipped: no server while",
    }.items(),
    ids=["no task", "BaseException"],
)
def test_a_wrong_option_of_a_task_is_a_problem_too(copy, source, problem):
    copy.write("ex1.py", source)
    done = copy.celery("tasks", "check")
    assert done.returncode == 1
    assert f"{copy.package}/celery_tasks:1: {problem}" in done.stdout
    assert "while the tasks were registered" in done.stdout


def test_a_worker_names_all_broken_files_at_once_and_does_not_start(copy):
    copy.write("ex1.py", "import no_such_package")
    copy.write("ex2.py", "def broken(:")
    done = copy.celery("worker", "--concurrency", "1")
    assert done.returncode == 1
    assert "2 problems" in done.stderr
    assert "ex1.py:1: ModuleNotFoundError" in done.stderr
    assert "ex2.py:1: SyntaxError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ready." not in done.stderr


def test_beat_warns_as_a_worker_does(copy, tmp_path):
    copy.write("ex1.py", FOREIGN_BASE)
    options = ("--schedule", str(tmp_path / "schedule"), "--pidfile=")
    with WorkerProcess(copy.package, tmp_path / "log", *options, command="beat", environment=copy.environment) as beat:
        beat.wait_for(lambda: "error_policy.py does not hold" in beat.output())
    lines = beat.output().splitlines()
    [line] = [line for line in lines if "for which error_policy.py does not hold" in line]
    assert line.startswith(f"warning: {copy.package}/celery_tasks/ex1.py:8: ")


def test_beat_does_not_start_either(copy):
    copy.write("ex1.py", "import no_such_package")
    done = copy.celery("beat")
    assert done.returncode == 1
    assert "ex1.py:1: ModuleNotFoundError" in done.stderr


def test_a_missing_folder_is_named(copy):
    shutil.rmtree(copy.tasks)
    done = copy.celery("tasks", "check")
    assert done.returncode == 1
    assert f"{copy.package}/celery_tasks:1: the folder of the task modules is missing" in done.stdout


def test_an_empty_folder_is_no_reason_to_refuse(copy):
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 0
    assert [problem["fatal"] for problem in json.loads(done.stdout)] == [False]


REPLACING_FILE = """
    from celery import Task
    from PACKAGE.celery_config import app

    class CustomTask(Task):
        def on_failure(self, exc, task_id, args, kwargs, einfo): ...

    app.Task = CustomTask
"""
FAILING_FILE = """
    from pathlib import Path

    from PACKAGE.celery_config import app
    from celery_runtime import Retry, TransientError

    @app.task(queue="tasks", policy={"application": Retry(attempts=3, base=0)})
    def fail():
        with Path("NOTES_FILE").open("a") as file:
            file.write("run\\n")
        raise TransientError("again")
"""


def runs_until_given_up(copy, start):
    worker = start()
    copy.run("from PACKAGE.celery_tasks.ex1_fail import fail; fail.delay()")
    worker.wait_for(lambda: "stored as a dead letter" in worker.output())
    return copy.notes().count("run")


def test_a_file_that_replaces_the_base_of_all_tasks_is_warned_of_where_it_does(copy, start):
    copy.write("ex1_fail.py", FAILING_FILE)
    copy.write("_base.py", REPLACING_FILE)
    copy.write("ex1_fail.py", FAILING_FILE + "\n    from . import _base\n")
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 0, done.stderr
    [problem] = json.loads(done.stdout)
    place = (f"{copy.package}/celery_tasks/_base.py", 8)
    assert (problem["file"], problem["line"], problem["fatal"]) == (*place, False)
    assert "error_policy.py no longer holds for the tasks of any file" in problem["problem"]
    assert problem["remedy"].startswith("Derive CustomTask from the Task of celery_config.py")
    assert runs_until_given_up(copy, start) == 1
    [log] = copy.logs
    assert f"warning: {place[0]}:{place[1]}: {problem['problem']}" in log.read_text()


def test_a_base_that_derives_from_the_projects_own_is_no_problem(copy, start):
    copy.write("ex1_fail.py", FAILING_FILE + "\n    from . import _base\n")
    copy.write("_base.py", REPLACING_FILE.replace("(Task)", "(app.Task)"))
    done = copy.celery("tasks", "check", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert runs_until_given_up(copy, start) == 3


FOREIGN_BASE = """
    from celery import Task
    from PACKAGE.celery_config import app

    class Foreign(Task):
        pass

    @app.task(queue="tasks", base=Foreign)
    def foreign(): ...

    @app.task(queue="tasks", base=Foreign)
    def foreign_too(): ...

    class Own(app.Task):
        pass

    @app.task(queue="tasks", base=Own)
    def own(): ...
"""


def test_a_task_whose_base_is_not_of_the_project_is_warned_of(copy):
    copy.write("ex1.py", FOREIGN_BASE)
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 0, done.stderr
    [problem] = json.loads(done.stdout)
    assert (problem["file"], problem["line"]) == (f"{copy.package}/celery_tasks/ex1.py", 8)
    named = f"the base of {copy.package}.celery_tasks.ex1.foreign and 1 more is Foreign"
    assert problem["problem"] == f"{named}, for which error_policy.py does not hold"
    assert problem["remedy"] == "Derive Foreign from the Task of celery_config.py, not from Celery's."
    assert problem["fatal"] is False


@pytest.mark.parametrize("name", ["dead-letters", "/shop.dead-letters", "delayed.low.3", "due", "lost-runs.1"])
def test_a_queue_does_not_take_a_name_of_the_library(copy, name):
    copy.change("queues.py", '"tasks"', repr(name))
    done = copy.celery("tasks", "check")
    assert done.returncode == 1
    assert f"queues.py:5: the queue {name!r} has a name that this library keeps for itself" in done.stdout
    assert "Rename it: no queue is named, or begins with, lost-runs, delayed, due, dead-letters." in done.stdout
