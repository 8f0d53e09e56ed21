"""What docs/errors.md says of the usual errors is what is done with them."""

import pytest

from celery_runtime import classify
from celery_runtime.kinds import is_kind_of
from celery_runtime.retry.policy import Policy
from shop import error_policy

from .errors_page import http_error, kind_of, rows, statuses
from .patience import what_happens

POLICY = Policy(error_policy.POLICY, error_policy.MAX_AGE)
NAMES = [(name, row.kind) for row in rows() for name in row.names()]


def test_the_table_is_read():
    assert len(rows()) > 20
    assert len(NAMES) > 50
    assert len(list(statuses())) > 40


@pytest.mark.parametrize(("name", "kind"), NAMES)
def test_an_exception_is_of_the_kind_that_the_page_says(name, kind):
    if (found := kind_of(name)) is not None:  # the libraries that are missing here are there in tests/test_http_clients
        assert is_kind_of(found, kind)


def test_most_of_the_exceptions_are_there():
    assert sum(kind_of(name) is not None for name, _ in NAMES) > 30


def test_a_status_is_of_the_kind_that_the_page_says():
    told = {(int(status), with_header): row.kind for status, with_header, row in statuses()}
    assert told == {key: classify(http_error(*key)).kind for key in told}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.kind)
def test_the_policy_does_what_the_page_says(row):
    permanent = row.kind == "application.permanent"  # no rule counts for it
    assert row.what == ("given up at once" if permanent else what_happens(POLICY.rule(row.kind).action))
