"""A requeue that is killed loses no entry and doubles none; nor do two that run at once."""

import itertools
import os
import random
import time
from collections import Counter

import pytest

from .store_process import StoreError, store_process

pytestmark = pytest.mark.baked

ENTRIES = 1000
ROUNDS = 20
SEED = "REQUEUE_CRASH_SEED"  # states the moments of an earlier run, as it has printed them


@pytest.fixture
def project(baked):
    return baked(installed=True, framework="plain")


def test_requeue_that_is_killed_loses_nothing(project, broker_url):
    seed = int(os.environ.get(SEED) or random.randrange(2**32))
    print(f"{SEED}={seed}")
    chance = random.Random(seed)
    in_the_middle = 0
    with store_process(project, broker_url) as keeper:
        ids = keeper.call("fill", number=ENTRIES)
        for _ in range(ROUNDS):
            with store_process(project, broker_url) as requeuing:
                keeper.call("restore")
                requeuing.begin("requeue")
                # By time alone a slow machine would have most kills hit the start of the process.
                requeuing.await_progress(chance.randrange(1, ENTRIES - 50))
                time.sleep(chance.random() * 0.005)
                requeuing.kill()
            found = keeper.call("where", expected=ENTRIES)
            stored, queued = found["stored"], found["queued"]
            assert set(stored) | set(queued) == set(ids)
            assert sum((Counter(stored + queued) - Counter(ids)).values()) <= 1
            assert stored == [id_ for id_ in ids if id_ in set(stored)], "the order has changed"
            in_the_middle += bool(stored and queued)
    assert in_the_middle > ROUNDS * 0.8


def test_two_requeues_at_once_requeue_each_entry_once(project, broker_url):
    done, busy = [], []
    with (
        store_process(project, broker_url) as keeper,
        store_process(project, broker_url) as first,
        store_process(project, broker_url) as second,
    ):
        ids = keeper.call("fill", number=ENTRIES)
        for process in (first, second):
            process.call("ready")
        for process in (first, second):
            process.begin("requeue")
        for process in (first, second):
            try:
                done.append(process.result())
            except StoreError as error:
                busy.append(error.name)
        found = keeper.call("where", expected=ENTRIES)
    assert found["stored"] == []
    assert sorted(found["queued"]) == sorted(ids)
    assert sorted(itertools.chain(*done)) == sorted(ids)
    if broker_url.startswith("amqp"):
        assert busy == ["StoreBusy"]
    else:
        assert busy == []
        assert all(done), "one has done all the work"


def test_purge_that_is_killed_removes_the_oldest_and_nothing_else(project, broker_url):
    with store_process(project, broker_url) as keeper:
        ids = keeper.call("fill", number=ENTRIES)
        with store_process(project, broker_url) as purging:
            purging.begin("purge")
            purging.await_progress(ENTRIES // 2)
            purging.kill()
        # What was removed but not committed comes back when the server has noticed.
        time.sleep(0.5)
        found = keeper.call("where", expected=1)
        left = len(found["stored"])
        assert 0 < left < ENTRIES
        assert found["stored"] == ids[-left:]
        assert found["queued"] == []
        assert keeper.call("purge") == ids[-left:]
        assert keeper.call("where", expected=0) == {"stored": [], "queued": []}
