"""What the stores of dead letters promise while others read, write, are killed, or lose their connection."""

from collections import Counter
from contextlib import ExitStack, contextmanager

import pytest

from .store_process import StoreError, store_process

pytestmark = pytest.mark.baked

ENTRIES = 300
WRITERS = 8
DAY = 24 * 3600.0


@pytest.fixture
def project(baked):
    return baked(installed=True, framework="plain")


@pytest.fixture
def keeper(project, broker_url):
    with store_process(project, broker_url) as process:
        yield process


def is_rabbitmq(broker_url):
    return broker_url.startswith("amqp")


def test_a_reader_leaves_all_entries_in_their_order(project, broker_url, keeper):
    ids = keeper.call("fill", number=ENTRIES)
    with store_process(project, broker_url) as reader:
        for number in (1, ENTRIES // 2, ENTRIES):
            reader.begin("hold", number=number)
            reader.await_progress()
            reader.say()
            assert reader.result() == ENTRIES
            assert keeper.call("where", expected=0)["stored"] == ids
        reader.begin("hold", number=ENTRIES // 2)
        reader.await_progress()
        reader.kill()
    assert keeper.call("where", expected=ENTRIES)["stored"] == ids


def test_the_next_reader_sees_all_at_once(keeper):
    keeper.call("fill", number=50)
    assert keeper.call("count_again", times=100) == [50] * 100


def test_no_reader_sees_only_a_part(project, broker_url, keeper):
    keeper.call("fill", number=50)
    with store_process(project, broker_url) as other:
        other.call("ready")
        other.begin("look_in", seconds=3.0)
        assert keeper.call("count_between", times=60) == [50] * 60
        assert other.result() > 0


@contextmanager
def writers(project, broker_url):
    with ExitStack() as stack:
        processes = [stack.enter_context(store_process(project, broker_url)) for _ in range(WRITERS)]
        for process in processes:
            process.call("ready")
        yield processes


def added_by_all(processes, **arguments):
    """Have all add at once; return the ids, and the seconds of the slowest."""
    for process in processes:
        process.begin("add", **arguments)
    results = [process.result() for process in processes]
    return [id_ for result in results for id_ in result["ids"]], max(one["slowest"] for one in results)


def test_eight_writers_keep_to_the_maximum(project, broker_url, keeper):
    maximum = 100
    old = set(keeper.call("add", number=maximum, age=DAY)["ids"])
    with writers(project, broker_url) as processes:
        added, _ = added_by_all(processes, number=30, maximum=maximum)
        stored = keeper.call("where", expected=0)["stored"]
        assert not old & set(stored), "an older one was kept"
        assert set(stored) <= set(added)
        assert maximum - 2 * WRITERS <= len(stored) <= maximum + WRITERS
        # One alone keeps to it exactly, and the oldest go first.
        alone = keeper.call("add", number=40, maximum=maximum)["ids"]
        assert keeper.call("where", expected=0)["stored"] == (stored + alone)[-maximum:]


def test_what_is_added_while_another_reads_is_kept_and_does_not_wait(project, broker_url, keeper):
    maximum = ENTRIES
    ids = keeper.call("fill", number=ENTRIES)
    with writers(project, broker_url) as processes, store_process(project, broker_url) as reader:
        reader.begin("hold", number=ENTRIES)
        reader.await_progress()
        added, slowest = added_by_all(processes, number=5, maximum=maximum)
        assert slowest < 3.0
        reader.say()
        assert reader.result() == ENTRIES
        stored = keeper.call("where", expected=0)["stored"]
        assert set(added) <= set(stored)
        if is_rabbitmq(broker_url):
            # What a reader holds is not counted: it is trimmed later, two with each that is added.
            assert stored[:ENTRIES] == ids
            added_by_all(processes, number=10, maximum=maximum)
            stored = keeper.call("where", expected=0)["stored"]
        assert not set(ids[: WRITERS * 3]) & set(stored)
        assert len(stored) <= maximum + WRITERS


def test_a_requeue_with_pauses_takes_each_entry_once_though_its_task_fails_again(keeper):
    ids = keeper.call("fill", number=30)
    assert keeper.call("requeue_with_pauses") == ids
    found = keeper.call("where", expected=60)
    assert (sorted(found["queued"]), sorted(found["stored"])) == (sorted(ids), sorted(ids))


def test_what_is_too_old_is_trimmed(keeper):
    keeper.call("look_at_age_always")
    keeper.call("add", number=30, age=2 * DAY)
    young = keeper.call("add", number=5, age=DAY / 2)["ids"]
    last = keeper.call("add", number=1, retention=DAY)["ids"]
    assert keeper.call("where", expected=0)["stored"] == young + last


def test_an_id_may_be_any_text(keeper):
    assert keeper.call("odd_ids") == ["a\tb", "a\nb", "plain"]


def test_an_add_outlives_a_stale_connection(keeper):
    first = keeper.call("add", number=5)["ids"]
    keeper.call("cut")
    second = keeper.call("add", number=5)["ids"]
    stored = Counter(keeper.call("where", expected=0)["stored"])
    assert stored == Counter(first + second)


def test_an_add_outlives_a_restart_of_the_broker(project, broker_server):
    with store_process(project, broker_server.url) as process:
        first = process.call("add", number=3)["ids"]
        broker_server.stop()
        with pytest.raises(StoreError, match="StoreError: the dead letters at"):
            process.call("add", number=1)
        broker_server.start()
        second = process.call("add", number=3)["ids"]
        with store_process(project, broker_server.url) as other:
            assert other.call("where", expected=0)["stored"] == first + second


@pytest.mark.parametrize("moment", ["publish", "commit"])
def test_a_connection_lost_within_a_requeue_loses_nothing(project, rabbitmq_url, moment):
    with store_process(project, rabbitmq_url) as keeper, store_process(project, rabbitmq_url) as requeuing:
        ids = keeper.call("fill", number=ENTRIES)
        with pytest.raises(StoreError, match="StoreError: the dead letters at"):
            requeuing.call("requeue_until_cut", number=20, moment=moment)
        found = keeper.call("where", expected=ENTRIES)
        assert sorted(found["stored"] + found["queued"]) == sorted(ids)
        assert found["stored"] == ids[19:]
        assert len(requeuing.call("requeue")) == ENTRIES - 19
        assert sorted(keeper.call("where", expected=ENTRIES)["queued"]) == sorted(ids)
