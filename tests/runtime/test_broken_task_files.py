import json
import shutil

import pytest

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
}


def test_check_names_file_line_and_remedy_of_every_problem_at_once(copy):
    for file, source in BROKEN_FILES.items():
        copy.write(file, source)
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 1, done.stderr
    found = {row["file"].rpartition("celery_tasks/")[2]: row for row in json.loads(done.stdout)}
    assert sorted(found) == sorted(PROBLEMS)
    for file, (line, problem, remedy) in PROBLEMS.items():
        assert found[file]["line"] == line, file
        assert problem.replace("PACKAGE", copy.package) in found[file]["problem"]
        assert remedy in found[file]["remedy"]


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
    copy.write("ex2.py", "from . import _base\n")
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
    copy.write("ex1_fail.py", FAILING_FILE)
    copy.write("ex2.py", REPLACING_FILE.replace("(Task)", "(app.Task)"))
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
    assert "is Foreign, for which error_policy.py does not hold" in problem["problem"]
    assert problem["remedy"] == "Derive Foreign from the Task of celery_config.py, not from Celery's."
    assert problem["fatal"] is False


@pytest.mark.parametrize("name", ["dead-letters", "/shop.dead-letters", "delayed.low.3", "due", "lost-runs.1"])
def test_a_queue_does_not_take_a_name_of_the_library(copy, name):
    copy.change("queues.py", '"tasks"', repr(name))
    done = copy.celery("tasks", "check")
    assert done.returncode == 1
    assert f"queues.py:5: the queue {name!r} has a name that this library keeps for itself" in done.stdout
    assert "Rename it: no queue is named, or begins with, lost-runs, delayed, due, dead-letters." in done.stdout
