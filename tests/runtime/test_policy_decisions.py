import math

from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.policy import Failures, Policy
from shop.error_policy import MAX_AGE, POLICY, Fail, Retry, Wait

NOW = 1_000_000.0
TABLE = Policy(
    {
        "network": Retry(attempts=3, base=10, cap=60),
        "network.tls": Fail(),
        "external.busy": Wait(max_age=100),
        "unexpected": Retry(attempts=1000, base=1, cap=60),
    },
    max_age=1000,
)


def delay(kind, count=1, retry_after=None, age=0, override=None, **verdict):
    """Return the delay after a failure that is the `count`th of its kind, `age` seconds after the first."""
    failures = Failures(count, since=NOW - age, first=NOW - age)
    action = TABLE.rule(kind, override).action
    return TABLE.delay(action, Verdict(kind, retry_after=retry_after, **verdict), failures, NOW)


def action(kind):
    return TABLE.rule(kind).action


def test_the_longest_prefix_decides():
    assert action("network.dns") == TABLE.actions["network"]
    assert action("network.tls") == Fail()
    assert action("network.tls.expired") == Fail()
    assert action("networking") == Fail()  # no prefix by letters, and in no table: given up


def test_three_attempts_are_three_runs_in_all():
    assert delay("network.dns", count=2) is not None
    assert delay("network.dns", count=3) is None


def test_the_delay_is_a_random_part_of_one_that_doubles_up_to_a_cap():
    for count, longest in [(1, 1), (2, 2), (3, 4), (7, 60), (900, 60)]:
        delays = [delay("unexpected", count) for _ in range(300)]
        assert 0 <= min(delays) < longest / 4
        assert longest * 3 / 4 < max(delays) <= longest


def test_retry_after_is_the_least_delay():
    for kind in ("network", "external.busy"):
        assert all(90 > delay(kind, retry_after=80) >= 80 for _ in range(100))
    assert delay("external.busy", retry_after=0) >= 1  # at once would be a busy loop


def test_waiting_spends_no_attempt_but_ends_at_its_age():
    assert delay("external.busy", count=500, retry_after=5, age=90) is not None
    assert delay("external.busy", count=1, retry_after=5, age=96) is None
    assert delay("external.busy", count=1, retry_after=101) is None
    assert delay("external.busy", count=1, retry_after=math.inf) is None


def test_the_greatest_age_ends_everything():
    assert delay("unexpected", age=900) is not None
    assert delay("unexpected", age=1001) is None
    assert delay("network", retry_after=1001) is None


def test_a_permanent_error_is_given_up_whatever_the_table_says():
    assert delay("network", permanent=True) is None


def test_a_task_has_the_last_word():
    assert delay("network.tls", override={"network": Retry()}) is not None
    assert delay("network", override={"": Fail()}) is None
    assert delay("network", override={"external": Fail()}) is not None


def test_the_table_of_this_project_is_sound():
    assert Policy(POLICY, MAX_AGE).max_age == MAX_AGE


def test_it_tries_again_what_may_pass_and_nothing_else():
    def sort_of(kind):
        return type(Policy(POLICY, MAX_AGE).rule(kind).action)

    retried = ["network.dns", "network.unavailable", "network.timeout", "network.disconnected"]
    retried += ["database.unavailable", "database.timeout", "database.conflict", "database.pool"]
    retried += ["database.unclear", "external.unavailable", "application.transient"]
    given_up = ["network.tls", "database.auth", "database.query", "external.auth", "external.rejected"]
    given_up += ["external.invalid", "time_limit.soft", "unexpected"]
    assert {kind: sort_of(kind) for kind in retried} == dict.fromkeys(retried, Retry)
    assert {kind: sort_of(kind) for kind in given_up} == dict.fromkeys(given_up, Fail)
    assert sort_of("external.busy") == Wait
