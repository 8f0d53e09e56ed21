import math

import pytest

from celery_runtime import Fail, Retry, Wait
from celery_runtime.retry.policy import Policy, check_rules

NO_TIME = "must be a number of seconds, 0 or more, or such as '90s', '30m' or '6h'"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Retry(base=-1), f"base=-1 {NO_TIME}"),
        (lambda: Retry(base="2m", cap=90), "base='2m' is above its cap=90"),
        (lambda: Retry(cap=math.nan), f"cap=nan {NO_TIME}"),
        (lambda: Retry(attempts=0), "attempts=0 must be a whole number above 0"),
        (lambda: Retry(max_age="-1h"), f"max_age='-1h' {NO_TIME}"),
        (lambda: Wait(max_age="1 hour"), f"max_age='1 hour' {NO_TIME}"),
        (lambda: Wait(max_age=None), f"max_age=None {NO_TIME}"),
        (lambda: Policy({}, math.inf), f"MAX_AGE=inf {NO_TIME}"),
    ],
)
def test_a_number_that_cannot_be_is_refused_on_its_line(make, problem):
    with pytest.raises(ValueError) as refusal:
        make()
    assert str(refusal.value) == problem


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            {"netwrk": Fail()},
            "the first word of the kind 'netwrk' must be one of network, database, external,",
        ),
        ({"network": Retry}, "the policy of 'network' must be Retry(…), Wait(…) or Fail(), not <class"),
        ([], "the policy must be a dict of kinds, not []"),
    ],
)
def test_rules_that_cannot_be_are_one_line(rules, problem):
    with pytest.raises((TypeError, ValueError)) as refusal:
        check_rules(rules)
    assert str(refusal.value).startswith(problem)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    {
        '"network.tls": Retry(atempts=3)': "Retry.__init__() got an unexpected keyword argument 'atempts'",
        '"network.tls": Retry(attempts=0)': "attempts=0 must be a whole number above 0",
        '"network.tls": Retyr()': "NameError: name 'Retyr' is not defined",
        '"network.tls": Fail)': "SyntaxError: ",
        '**__import__("no_such_module").RULES': "ModuleNotFoundError: No module named 'no_such_module'",
        '**__import__("celery_runtime").by_name({"CardError": "external"})': "'CardError' must be a package and a class, such as 'stripe.",
    }.items(),
)
def test_a_wrong_table_keeps_everything_from_starting(copy, wrong, problem):
    copy.change("error_policy.py", '"network.tls": Fail()', wrong)
    done = copy.celery("tasks", "check")
    assert done.returncode != 0
    [line] = done.stderr.splitlines()
    source = (copy.root / copy.package / "error_policy.py").read_text()
    number = source[: source.index(wrong)].count("\n") + 1
    assert line.startswith(f"error: {copy.package}/error_policy.py:{number}: {problem}")
    assert line.endswith(". Correct this line.")


@pytest.mark.parametrize(
    ("old", "wrong", "problem"),
    [
        ('"network.tls":', '"netwrk.tls":', "the first word of the kind 'netwrk.tls' must be one of "),
        ('MAX_AGE = "6h"', "MAX_AGE = -1", "MAX_AGE=-1 must be a number of seconds, 0 or more"),
        ("POLICY: dict", "RULES: dict", "AttributeError: module"),
    ],
)
def test_a_table_that_is_wrong_as_a_whole_keeps_everything_from_starting_too(copy, old, wrong, problem):
    copy.change("error_policy.py", old, wrong)
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
    assert "base=-1 must be a number of seconds, 0 or more" in done.stdout
