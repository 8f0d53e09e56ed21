"""The errors that a task raises itself, the blocks that name a service, and rules of your own."""

import pickle
from datetime import timedelta

import pytest

from celery_runtime import RULES, PermanentError, TransientError, by_name, classify, handling
from celery_runtime.errors.raised import service_of


def test_a_task_says_what_its_error_is():
    assert classify(TransientError("later")).kind == "application.transient"
    late = classify(TransientError("later", kind="external.stock", retry_after=30))
    assert (late.kind, late.retry_after, late.permanent) == ("external.stock", 30, False)
    assert classify(PermanentError("never")).permanent
    assert classify(TransientError("later", retry_after=timedelta(minutes=1))).retry_after == 60
    with pytest.raises(ValueError, match=r"such as 'application\.stock'"):
        TransientError("later", kind="stock")
    for seconds in ("2", -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="must be a number of seconds, 0 or more"):
            TransientError("later", retry_after=seconds)


class Forgetful(PermanentError):
    def __init__(self, article):
        self.article = article


def test_a_subclass_may_forget_its_base(caplog):
    verdict = classify(Forgetful("tea"))
    assert (verdict.kind, verdict.permanent, verdict.retry_after) == ("application.permanent", True, None)
    assert caplog.text == ""


class OutOfStock(PermanentError):
    kind = "application.out_of_stock"

    def __init__(self, article):
        super().__init__(f"no {article} left")
        self.article = article


@pytest.mark.parametrize(
    "error", [TransientError("later", kind="external.stock", retry_after=3), OutOfStock("tea")], ids=str
)
def test_they_pickle(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_a_block_names_its_service_and_lets_the_original_error_out():
    assert service_of(None) is None
    error = ConnectionResetError()
    with pytest.raises(ConnectionResetError) as caught, handling("bank"), handling("stripe"):
        assert service_of(None) == "stripe"
        raise error
    assert caught.value is error
    assert service_of(error) == "stripe"
    assert service_of(None) is None


def test_a_rule_of_your_own_goes_in_front():
    class CardError(Exception):
        pass

    rule = by_name({f"{__name__.partition('.')[0]}.CardError": "external.rejected"})
    assert classify(CardError()).kind == "unexpected"
    RULES.insert(0, rule)
    try:
        assert classify(CardError()).kind == "external.rejected"
    finally:
        RULES.remove(rule)


def test_a_rule_that_fails_is_passed_over_and_named(caplog):
    def broken(error):
        raise RuntimeError

    def wrong(error):
        return "external"

    RULES[:0] = [broken, wrong]
    try:
        assert [classify(TimeoutError()).kind for _ in range(3)] == ["network.timeout"] * 3
    finally:
        RULES.remove(broken)
        RULES.remove(wrong)
    assert caplog.text.count("the rule broken failed on TimeoutError with RuntimeError") == 1
    assert caplog.text.count("the rule wrong failed on TimeoutError with TypeError: 'external' is not a Verdict") == 1
