import math

import pytest

from celery_runtime import Fail, Retry, Wait
from celery_runtime.retry import policy


@pytest.mark.parametrize(
    ("kind", "action", "problem"),
    [
        ("netwrk", Fail(), "the first word of the kind 'netwrk' must be one of network, database, external,"),
        ("network", Retry(base=-1), "base=-1 of 'network' must be a number of seconds, 0 or more"),
        ("network", Retry(base=60, cap=1), "base=60 of 'network' is above its cap=1"),
        ("network", Retry(cap=math.nan), "cap=nan of 'network' must be a number of seconds, 0 or more"),
        ("network", Retry(attempts=0), "attempts=0 of 'network' must be a whole number above 0"),
        ("network", Wait(max_age="1h"), "max_age='1h' of 'network' must be a number of seconds, 0 or more"),
        ("network", Retry, "the policy of 'network' must be Retry(…), Wait(…) or Fail(), not <class"),
    ],
)
def test_a_table_that_cannot_be_is_one_line(copy, kind, action, problem):
    [found] = policy.problems({kind: action})
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    {
        '"netwrk.tls": Fail()': "the first word of the kind 'netwrk.tls' must be one of ",
        '"network.tls": Retry(atempts=3)': "Retry.__init__() got an unexpected keyword argument 'atempts'",
        '**__import__("celery_runtime").by_name({"CardError": "external"})': "'CardError' must be a package and a class, such as 'stripe.",
    }.items(),
)
def test_a_wrong_table_keeps_everything_from_starting(copy, wrong, problem):
    copy.change("error_policy.py", '"network.tls": Fail()', wrong)
    done = copy.celery("tasks", "check")
    assert done.returncode != 0
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {problem}")
    assert line.endswith(" Correct it in error_policy.py.")


def test_a_wrong_table_of_a_task_is_told_with_its_line(copy):
    copy.write(
        "ex1.py",
        """
        from PACKAGE.celery_config import app
        from celery_runtime import Retry

        @app.task(queue="tasks", policy={"external": Retry(base=-1)})
        def fetch():
            pass
        """,
    )
    done = copy.celery("tasks", "check")
    assert done.returncode == 1
    assert "celery_tasks/ex1.py:5: " in done.stdout
    assert "base=-1 of 'external' must be a number of seconds, 0 or more" in done.stdout
