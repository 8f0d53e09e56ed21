import itertools
import math

import pytest

from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.policy import Failures, Policy, most_runs, seconds_of
from shop.error_policy import MAX_AGE, POLICY, Fail, Retry, Wait

NOW = 1_000_000.0
TABLE = Policy(
    {
        "network": Retry(attempts=3, base=10, cap=60),
        "network.tls": Fail(),
        "external.busy": Wait(max_age="100s"),
        "database": Retry(max_age="2m", base=0),
        "application": Retry(attempts=3, max_age=120, base=0),
        "unexpected": Retry(attempts=1000, base=1, cap=60),
    },
    max_age="1000s",
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


@pytest.mark.parametrize(
    ("time", "seconds"), {"90s": 90, "30m": 1800, "6h": 21600, "1d": 86400, "90": 90, 0.5: 0.5}.items()
)
def test_a_time_is_a_number_of_seconds_or_has_a_unit(time, seconds):
    assert seconds_of(time) == seconds


def test_a_retry_is_bounded_by_number_or_by_time_or_by_both():
    assert delay("database", count=10_000, age=120) is not None
    assert delay("database", age=121) is None
    assert delay("database", retry_after=121) is None
    assert delay("application", count=2, age=120) is not None
    assert delay("application", count=3) is None
    assert delay("application", age=121) is None
    unbounded = {"": Retry(base=0)}  # five runs: it would never end
    assert delay("network", count=4, override=unbounded) is not None
    assert delay("network", count=5, override=unbounded) is None


def test_what_crashes_its_worker_runs_five_times_where_its_rule_counts_no_runs():
    for rule in (Retry(max_age="1d"), Wait(), Retry(attempts=5)):
        for kind, row in itertools.product(("worker.lost", "worker.memory"), ("", "worker")):
            assert delay(kind, count=4, override={row: rule}) is not None
            assert delay(kind, count=5, override={row: rule}) is None
    assert delay("worker.lost", count=5, override={"": Retry(attempts=6)}) is not None
    assert most_runs(Fail(), "worker.lost") == 1


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
    assert Policy(POLICY, MAX_AGE).max_age == 6 * 60 * 60


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
