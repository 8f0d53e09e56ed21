"""Workers and brokers that die, are stopped and come back, under load: nothing is lost, no innocent task is blamed."""

import json
import os
import random
import uuid

import pytest

from .chaos import load, run
from .chaos.fleet import Fleet

pytestmark = pytest.mark.baked

SEED = "CHAOS_SEED"  # states the moments of an earlier run, as it has printed them
TASKS = 300
DEPLOYS = 10
POISON = {
    "kills_its_process": "worker.lost",
    "runs_out_of_memory": "worker.memory",
    "kills_its_worker": "worker.lost",
}
RUNS = 5


@pytest.fixture
def seed():
    seed = int(os.environ.get(SEED) or random.randrange(2**32))
    print(f"{SEED}={seed}")
    return seed


@pytest.fixture
def project(bake_own):
    project = bake_own(framework="plain")
    load.prepare(project)
    return project


def test_chaos_loses_nothing_and_blames_no_innocent_task(project, broker_server, redis_url, seed, tmp_path):
    # On Redis, as by default, the results are on the broker that is restarted.
    results = broker_server.url if broker_server.url.startswith("redis") else redis_url
    account = run.run(project, broker_server, results, tmp_path, TASKS, seed)
    print(account)
    assert account.lost == []
    assert account.dead == []
    assert len(account.happened) == 4
    assert min(account.happened.values()) >= 2


def test_a_rolling_deploy_runs_each_task_once(project, broker_url, redis_url, seed, tmp_path):
    variables = load.environment(broker_url, redis_url, tmp_path)
    with (
        Fleet(project, 3, 2, tmp_path, **variables) as fleet,
        load.published(project, tmp_path, TASKS // 2, seed, 6, **variables) as published,
    ):
        for _ in range(DEPLOYS):
            fleet.tend_until(lambda: fleet.output().count(" ready.") == fleet.started, 60)
            fleet.stop_oldest(60)
        fleet.tend_until(lambda: published.is_published() and not published.unfinished(), 60)
        assert fleet.exit_codes == [0] * DEPLOYS
        assert set(published.noted("begun").values()) == {1}
        assert set(published.noted("done").values()) == {1}


@pytest.mark.parametrize("poison", POISON)
def test_poison_runs_five_times_and_other_tasks_go_on(project, broker_url, redis_url, tmp_path, poison):
    variables = load.environment(broker_url, redis_url, tmp_path)
    task_id = str(uuid.uuid4())
    publish = (
        f"from shop.celery_tasks.ex90_chaos import {poison}\n{poison}.apply_async(task_id={task_id!r}, priority=9)"
    )

    def dead_letters():
        return json.loads(project.celery("dead-letters", "list", "--json", check=True, **variables).stdout)

    with (
        Fleet(project, 2, 2, tmp_path, **variables) as fleet,
        load.published(project, tmp_path, 60, 1, 4, **variables) as published,
    ):
        project.run(project.python, "-c", publish, check=True, **variables)
        fleet.tend_until(lambda: f"{task_id}] worker." in fleet.output(), 120)
        fleet.tend_until(lambda: published.is_published() and not published.unfinished(), 60)
        assert published.noted("begun")[task_id] == RUNS
        [entry] = dead_letters()
        assert (entry["id"], entry["kind"], entry["attempts"]) == (task_id, POISON[poison], RUNS)
