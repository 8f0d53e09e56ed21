"""`celery -A … dead-letters`, as a person and a script would use it."""

import json

import pytest

from .lending import running_copy

TASKS = """
    from PACKAGE.celery_config import app
    from celery_runtime import PermanentError

    @app.task(queue="tasks")
    def ship(order, password=None):
        raise PermanentError(
            f"{order} is unknown at https://bob:{password}@host, token={password}, caf\\udce9",
            kind="application.unknown_order",
        )
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_copy("embedded", tmp_path_factory.mktemp("commands"), TASKS) as lent:
        yield lent


@pytest.fixture
def commands(running):
    copy, _ = running

    def dead_letters(*arguments):
        done = copy.celery("dead-letters", *arguments)
        return done.returncode, done.stdout, done.stderr

    return dead_letters


def ship(running, *arguments):
    """Let one task fail for good; return its id."""
    copy, worker = running
    publish = f"from PACKAGE.celery_tasks.ex1 import ship; print(ship.delay(*{arguments!r}).id)"
    task_id = copy.run(publish).strip()
    worker.wait_for(lambda: f"[{task_id}] application.unknown_order" in worker.output())
    return task_id


def test_what_is_wrong_with_a_command_is_said_in_a_line(commands):
    refused = {
        ("requeue",): (2, "say which: IDs, --kind, --task, --older-than, or --all"),
        ("requeue", "--limit", "3"): (2, "say which: IDs, --kind, --task, --older-than, or --all"),
        ("requeue", "--all", "--rate", "fast"): (2, "'fast' is not a rate"),
        ("purge", "--all"): (2, "a purge without a terminal wants --yes"),
        ("list", "--older-than", "soon"): (2, "'soon' is not a duration"),
        ("show", "no-such-id"): (1, "no dead letter fits no-such-id"),
    }
    for arguments, (status, reason) in refused.items():
        code, _, error = commands(*arguments)
        assert (code, reason in error) == (status, True), error


def test_they_are_listed_filtered_counted_and_removed(running, commands):
    task_id = ship(running, "oats")
    [row] = json.loads(commands("list", "--kind", "application", "--older-than", "0s", "--json")[1])
    assert row["id"] == task_id
    assert {"id", "task", "kind", "message", "attempts"} <= set(row)
    assert "oats is unknown" in commands("list", "--task", "ex1.ship")[1]
    assert "There is no dead letter" in commands("list", "--kind", "network")[1]
    assert json.loads(commands("list", "--by-kind", "--json")[1]) == [
        {"kind": "application.unknown_order", "number": 1}
    ]
    assert "1 dead letter would be removed" in commands("purge", "--all", "--dry-run")[1]
    assert commands("purge", task_id, "--yes")[:2] == (0, "1 dead letter removed.\n")
    assert commands("purge", task_id, "--yes")[0] == 1
    assert commands("list", "--json")[1] == "[]\n"


def test_secrets_are_kept_and_never_shown(running, commands):
    _, worker = running
    task_id = ship(running, "rice", "hunter2")
    for command in (("show", task_id), ("list",), ("requeue", "--all", "--dry-run")):
        shown = commands(*command)[1]
        assert "rice" in shown and "hunter2" not in shown
    [entry] = json.loads(commands("list", "--json")[1])
    assert entry["signature"]["args"] == ["rice", "…"]
    assert commands("requeue", task_id)[:2] == (0, "1 task requeued.\n")
    worker.wait_for(lambda: worker.output().count(f"[{task_id}] application.unknown_order") == 2)
    [entry] = json.loads(commands("list", "--json")[1])
    assert (entry["requeues"], entry["attempts"]) == (1, 1)
    assert entry["message"] == "rice is unknown at https://…@host, token=…, caf\\udce9"
