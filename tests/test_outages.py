"""What is seen of brokers that are away, flushed or out of space, and that all ends well."""

import pytest

from scripts.unavailable import Unavailable

from .availability import unavailable
from .outages import outages

pytestmark = pytest.mark.baked


@pytest.fixture
def project(bake_own):
    project = bake_own(framework="plain")
    outages.prepare(project)
    return project


def check(row):
    print(*row, sep="\n")
    assert row.is_right, row.seen


@pytest.mark.parametrize("cause", outages.OUTAGES, ids=lambda cause: cause.__name__)
def test_outage(project, broker_server, redis_url, tmp_path, cause):
    # On Redis, as by default, the results are on the broker.
    results = broker_server.url if broker_server.url.startswith("redis") else redis_url
    check(cause(outages.Scene(project, broker_server, results, tmp_path)))


@pytest.mark.parametrize("broker_server", ["redis"], indirect=True)
@pytest.mark.parametrize("cause", outages.OF_REDIS, ids=lambda cause: cause.__name__)
def test_outage_of_redis(project, broker_server, tmp_path, cause):
    check(cause(outages.Scene(project, broker_server, broker_server.url, tmp_path)))


def test_full_disk(project, tmp_path_factory):
    try:
        row = outages.disk_of_the_embedded_broker_is_full(project, tmp_path_factory.mktemp("d") / "d")
    except Unavailable as error:
        unavailable(str(error))
    check(row)
