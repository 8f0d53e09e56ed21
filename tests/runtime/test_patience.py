"""How long the default rules wait for what is away, and what comes to it when it is back."""

import math
import os
import re
import statistics
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from celery_runtime import Fail, Verdict
from celery_runtime.retry.policy import Failures, Policy, seconds_of
from celery_runtime.testing.http import AnsweringServer
from shop import error_policy

from .fetching import FETCHING
from .patience import in_words, seconds_to_the_end

POLICY = Policy(error_policy.POLICY, error_policy.MAX_AGE)
RETRYING = {kind: action for kind, action in error_policy.POLICY.items() if not isinstance(action, Fail)}
AWAY = ["network.dns", "network.unavailable", "network.timeout", "network.disconnected"]
AWAY += ["database.unavailable", "database.pool", "external.unavailable", "external.busy"]
SOON = ["application.transient", "application.scales", "database.unclear", "database.timeout", "worker.lost"]


def ages_at_the_end(kind: str, number: int = 400) -> list[float]:
    """Return the seconds after which so many tasks were given up, of which every run fails with this kind."""
    action = POLICY.rule(kind).action
    ends = []
    for _ in range(number):
        now, failures = 0.0, 1
        while (delay := POLICY.delay(action, Verdict(kind), Failures(failures, 0.0, 0.0), now)) is not None:
            now, failures = now + delay, failures + 1
        ends.append(now)
    return ends


@pytest.mark.parametrize("kind", AWAY)
def test_what_is_away_for_ten_minutes_and_more_costs_no_dead_letter(kind):
    assert min(ages_at_the_end(kind)) > 50 * 60


@pytest.mark.parametrize("kind", SOON)
def test_what_waiting_does_not_mend_ends_soon(kind):
    assert max(ages_at_the_end(kind)) < 60


def test_each_row_tells_when_it_gives_up():
    source = Path(error_policy.__file__).read_text()
    told = dict(re.findall(r'^    "([a-z_.]+)": .*\),  # gives up after (about .*)$', source, re.MULTILINE))
    assert told == {kind: in_words(action) for kind, action in RETRYING.items()}


@pytest.mark.parametrize("kind", RETRYING)
def test_the_figures_are_what_the_policy_does(kind):
    expected = seconds_to_the_end(RETRYING[kind])
    assert statistics.mean(ages_at_the_end(kind)) == pytest.approx(expected, rel=0.15)


CROWD = int(os.environ.get("CROWD", "30"))
# The rule for `external`, and the ten minutes for which the service is away, are that much shorter.
FACTOR = float(os.environ.get("FACTOR", "50"))
RULE = error_policy.POLICY["external"]
OLDEST, BASE, CAP = (seconds_of(value) / FACTOR for value in (RULE.max_age, RULE.base, RULE.cap))
AWAY_FOR = 600 / FACTOR
RAMP = math.ceil(math.log2(CAP / BASE))  # shorter delays of a task before those of up to the cap
FETCH = f"""
    import time
    import urllib.request
    from datetime import datetime

    from PACKAGE.celery_config import app
    from celery_runtime import Retry

    @app.task(queue="tasks", bind=True, policy={{"external": Retry(max_age={OLDEST}, base={BASE}, cap={CAP})}})
    def fetch(self, url, number):
        eta = self.request.eta
        due = datetime.fromisoformat(eta).timestamp() if eta else time.time()
        told = {{"Task": str(number), "Due": str(due), "Now": str(time.time())}}
        urllib.request.urlopen(urllib.request.Request(url, headers=told), timeout=30).close()
"""


def requests_of(server):
    """Return for each task when its requests were due and when they came, in seconds since the epoch."""
    found = {}
    for told in list(server.headers):
        found.setdefault(int(told["Task"]), []).append((float(told["Due"]), float(told["Now"])))
    return found


def test_a_crowd_that_waits_for_a_service_is_spread_when_it_is_back(copy, start, broker_url):
    copy.environment["CELERY_BROKER_URL"] = broker_url
    copy.write("ex1.py", FETCH)
    worker = start()
    with AnsweringServer(503) as server:
        copy.run(
            f"""
            from PACKAGE.celery_tasks.ex1 import fetch
            for number in range({CROWD}):
                fetch.delay({server.url!r}, number)
            """
        )
        many = CROWD * (RAMP + 2)  # with delays of up to the cap among them, however slow the machine is
        worker.wait_for(lambda: len(server.times) >= many and time.monotonic() > server.times[0] + AWAY_FOR, OLDEST)
        server.answers = [(200, {})]
        back = time.time()
        worker.wait_for(lambda: worker.output().count(" succeeded in ") == CROWD, timeout=OLDEST)
    assert "stored as a dead letter" not in worker.output()
    found = requests_of(server)
    assert len(found) == CROWD

    away = [[now for _, now in requests if now <= back] for requests in found.values()]
    most = CROWD * (RAMP + 1 + (back - min(map(min, away))) / (CAP / 2))
    assert sum(map(len, away)) < most
    asked = Counter(int((now - back) // 1) for requests in away for now in requests)
    per_second = Counter(int((requests[-1][1] - back) // 1) for requests in found.values())
    print(f"{CROWD} tasks, times / {FACTOR:g}; requests while it is away: {sum(map(len, away))} of at most {most:.0f}")
    print(f"by second before it is back: {sorted(asked.items())}")
    print(f"by second after: {sorted(per_second.items())}")
    # The pauses spread the tasks. A slow machine delays their requests, but changes no pause.
    pauses = [due - now for told in found.values() for (_, now), (due, _) in pairwise(told[RAMP:])]
    first, _, last = statistics.quantiles(pauses, n=4)
    assert last - first > CAP / 4


def test_kinds_that_alternate_end_at_the_greatest_age(copy, start, broker_url):
    copy.write("ex1.py", FETCHING)
    worker = start(CELERY_BROKER_URL=broker_url)
    with AnsweringServer() as closed:
        refused = closed.url
    with AnsweringServer(503) as server:
        copy.run(
            f"from PACKAGE.celery_tasks.ex1 import fetch; fetch.delay({server.url!r}, {refused!r})",
            CELERY_BROKER_URL=broker_url,
        )
        worker.wait_for(lambda: len(server.times) > 4)
        worker.stop_gently()
        assert "raised unexpected" not in worker.output()
        assert '"code": "ECONNREFUSED"' in worker.output()
        copy.change("error_policy.py", 'MAX_AGE = "6h"', "MAX_AGE = 1")
        time.sleep(1)  # so that the first failure is older, and the last one is not
        runs = len(copy.notes())
        second = start(CELERY_BROKER_URL=broker_url)
        second.wait_for(lambda: "stored as a dead letter" in second.output())
    assert len(copy.notes()) == runs + 1
