"""Task files in the style of a widespread course run unchanged: its signals, callbacks, groups, limits and schedules."""

import json
import re
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from .workers import running_worker

pytestmark = pytest.mark.baked

MODULES = Path(__file__).parent / "course_modules"
REPLACES_BASE = "ex2_custom_task_class"
ELSEWHERE = {"TZ": "EST5"}  # a naive ETA is UTC wherever the machine stands
RUN_BY_ETA = re.compile(r"due (\d\S+), run (\S+)")

# For each module: what its entry function prints, and what its tasks write into the worker's log.
OUTCOMES = {
    "ex3_auto_retry": ((), ("retry: Retry in 5s",)),
    "ex11_task_scheduling": ((), ("due soon, run",)),
    "ex1_try_except": (
        ("0 number 0", "1 no connection", "2 Value Error Occurred..."),
        ("Connection error occurred....", "Value error occurred..."),
    ),
    REPLACES_BASE: (
        (),
        ("Connection error occurred - Admin Notified", "failed: KeyError('no such order')"),
    ),
    "ex4_error_handling_groups": (
        (
            *("Waiting for results...", "Task completed: 0", "Task completed: 2", "Task completed: 4"),
            *("Task failed: Error Number is Invalid", "Task completed: 8"),
            *("SUCCESS 0", "SUCCESS 2", "SUCCESS 4", "FAILURE Error Number is Invalid", "SUCCESS 8"),
        ),
        (),
    ),
    "ex5_error_handling_chain": (
        ("Chain completed: 24", *["FAILURE Error wrong number..."] * 2, "SUCCESS 5"),
        ("Chain failed at dcelery.celery_tasks.ex5_error_handling_chain.multiply: Error wrong number...",),
    ),
    "ex6_dead_letter_queue": ((), ("Custom logic to process 2: Error wrong number...", "Archived 2")),
    "ex7_task_timeouts_revoking": (
        ("Task timed out", "Cleaned up in time", "Task status: REVOKED"),
        ("About to be revoked",),
    ),
    "ex8_linking_result_callbacks": (
        (),
        ("process_task_result: I finished my job", "error_handler: Something went wrong", "notify_admin: "),
    ),
    "ex9_task_signals_graceful_shutdown_and_cleanup": (
        (),
        ("CLEAN UP after ", "graceful_shutdown_and_cleanup.my_task has failed: Task failed"),
    ),
}
AN_HOUR_AGO = """
import sys
from datetime import timedelta
from celery.beat import PersistentScheduler
from dcelery import app
app.loader.import_default_modules()
scheduler = PersistentScheduler(app, schedule_filename=sys.argv[1])
for entry in scheduler.schedule.values():
    entry.last_run_at -= timedelta(hours=1)
scheduler.close()
"""
FINAL_FAILURES = {
    ("ex1_try_except.my_task", "unexpected", 1),
    ("ex2_custom_task_class.my_task", "network.unavailable", 1),
    ("ex2_custom_task_class.my_other_task", "unexpected", 1),
    ("ex3_auto_retry.my_task", "network.unavailable", 3),
    ("ex4_error_handling_groups.my_task", "unexpected", 1),
    ("ex5_error_handling_chain.multiply", "unexpected", 1),
    ("ex6_dead_letter_queue.my_task", "unexpected", 1),
    ("ex7_task_timeouts_revoking.long_running_task", "time_limit.hard", 1),
    ("ex8_linking_result_callbacks.long_running_task", "unexpected", 1),
    ("ex9_task_signals_graceful_shutdown_and_cleanup.my_task", "unexpected", 1),
}


@pytest.fixture
def bake_course(bake_own):
    """Bakes a project whose task files are those of the course, but for those that are left out."""

    def bake(framework, *left_out):
        project = bake_own(project_slug="dcelery", framework=framework)
        for path in project.tasks.glob("ex*.py"):
            path.unlink()
        for path in MODULES.glob("ex*.py"):
            if path.stem not in left_out:
                shutil.copy(path, project.tasks)
        queues = project.package / "queues.py"
        first = "    priority_queue(DEFAULT_QUEUE),\n"
        queues.write_text(queues.read_text().replace(first, f'{first}    priority_queue("dead_letter"),\n'))
        return project

    return bake


def entry_of(module):
    return "execute_task_examples" if module == "ex7_task_timeouts_revoking" else "run_tasks"


def run_modules(project, worker, modules, **environment):
    """Call the entry functions of modules in one shell, and wait for what becomes of their tasks."""
    shell = ("manage.py", "shell") if (project.path / "manage.py").exists() else ()
    code = "\n".join(f"from dcelery.celery_tasks import {module}; {module}.{entry_of(module)}()" for module in modules)
    printed = project.run(project.python, *shell, "-c", code, check=True, **environment).stdout.splitlines()
    expected = [line for module in modules for line in OUTCOMES[module][0]]
    assert [line for line in printed if line in expected] == expected, worker.output()
    for module in modules:
        for text in OUTCOMES[module][1]:
            worker.wait_for(lambda text=text: text in worker.output())


def assert_run_when_due(worker):
    worker.wait_for(lambda: RUN_BY_ETA.search(worker.output()))
    due, run = map(datetime.fromisoformat, RUN_BY_ETA.search(worker.output()).groups())
    assert due <= run


def assert_dead_letters(project, worker, modules, **environment):
    expected = {failure for failure in FINAL_FAILURES if failure[0].partition(".")[0] in modules}
    worker.wait_for(lambda: worker.output().count("stored as a dead letter") == len(expected))
    entries = json.loads(project.celery("dead-letters", "list", "--json", check=True, **environment).stdout)
    prefix = "dcelery.celery_tasks."
    assert {(e["task"].removeprefix(prefix), e["kind"], e["attempts"]) for e in entries} == expected


def started_beat(project, folder, **environment):
    """Start a beat which was stopped an hour ago, so that the minute of a crontab is not waited for."""
    schedule = str(folder / "schedule")
    project.run(project.python, "-c", AN_HOUR_AGO, schedule, check=True, **environment)
    options = ("--schedule", schedule)
    return running_worker(project, folder / "beat", *options, command="beat", cwd=folder, **environment)


def test_the_modules_of_a_course_run_unchanged(bake_course, redis_url, tmp_path):
    project = bake_course("django")
    environment = {"CELERY_BROKER_URL": redis_url, **ELSEWHERE}
    checked = project.celery("tasks", "check", check=True, **environment).stdout
    assert checked.startswith(f"warning: dcelery/celery_tasks/{REPLACES_BASE}.py:17: app.Task becomes CustomTask")
    others = [module for module in OUTCOMES if module != REPLACES_BASE]
    with (
        running_worker(project, tmp_path / "log", concurrency=4, cwd=tmp_path, **environment) as worker,
        started_beat(project, tmp_path, **environment),
    ):
        run_modules(project, worker, others, **environment)
        # In a shell of its own, where its base is that of its tasks alone.
        run_modules(project, worker, [REPLACES_BASE], **environment)
        # Of several files that set the schedule, the last one has it, as ever in Celery.
        for text in ("Running task1 by crontab with bar", "Running task2 beside it"):
            worker.wait_for(lambda text=text: text in worker.output())
        assert_run_when_due(worker)
        assert_dead_letters(project, worker, OUTCOMES, **environment)


def test_those_that_leave_the_base_of_all_tasks_alone_run_on_rabbitmq(bake_course, rabbitmq_url, redis_url, tmp_path):
    project = bake_course("plain", REPLACES_BASE, "ex13_task_schedule_crontab")
    environment = {"CELERY_BROKER_URL": rabbitmq_url, "CELERY_RESULT_BACKEND": redis_url, **ELSEWHERE}
    checked = project.celery("tasks", "check", check=True, **environment).stdout
    assert checked.startswith("10 task files, no problem.")
    modules = [module for module in OUTCOMES if module != REPLACES_BASE]
    with (
        running_worker(project, tmp_path / "log", concurrency=4, cwd=tmp_path, **environment) as worker,
        started_beat(project, tmp_path, **environment),
    ):
        run_modules(project, worker, modules, **environment)
        for text in ("Running task1 - 3 {'foo': 'bar'}", "Running task2 every two seconds"):
            worker.wait_for(lambda text=text: text in worker.output())
        assert_run_when_due(worker)
        assert_dead_letters(project, worker, modules, **environment)
