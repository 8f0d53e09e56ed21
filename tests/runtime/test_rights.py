"""A worker that lacks a right at its broker ends as it starts, with one line that names the right."""

import json

import pytest

from celery_runtime.testing.brokers import RedisServer
from scripts import servers
from scripts.rabbitmq_node import free_port, rabbitmq_node
from tests.availability import lent

CHANNELS = "&shop:* &shop:/0.celeryev/worker.* &shop:/0.celery.pidbox"
OF_REDIS = {
    "scripts": (f"~shop:* {CHANNELS} +@all -@scripting", "'eval"),
    "transactions": (f"~shop:* {CHANNELS} +@all -@transaction", "'multi' command"),
    "channels": ("~shop:* &shop:* +@all", "&shop:/0.celery.pidbox"),
    "keys": (f"~other:* {CHANNELS} +@all", "~shop:*"),
}
EVERYTHING = ".*"
OF_RABBITMQ = {
    "to configure the library's": ((r"^shop\.(tasks|.*celery.*)$", EVERYTHING, EVERYTHING), "shop.due", "configure"),
    "to write to queues": ((EVERYTHING, r"^shop\..*$", EVERYTHING), "amq.default", "write"),
    "to read dead letters": ((EVERYTHING, EVERYTHING, r"^shop\.(tasks|due|.*celery.*)$"), "shop.dead-letters", "read"),
    "to read tasks": ((EVERYTHING, EVERYTHING, r"^shop\.(due|dead-letters|.*celery.*)$"), "shop.tasks", ""),
}


def refusal(copy, url) -> str:
    done = copy.celery("worker", CELERY_BROKER_URL=url)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = (line for line in (done.stdout + done.stderr).splitlines() if '"critical"' in line)
    assert "secret" not in line
    return str(json.loads(line)["event"])


@pytest.mark.parametrize("missing", OF_REDIS)
def test_a_redis_names_the_right(missing, copy, tmp_path):
    copy.write_note_task()
    rules, named = OF_REDIS[missing]
    with RedisServer(tmp_path, port=free_port(), binary=servers.redis_binary() if servers.root() else None) as server:
        server.client().execute_command("ACL", "SETUSER", "shop", "on", ">secret", *rules.split())
        assert named in refusal(copy, server.url.replace("redis://", "redis://shop:secret@"))


def test_a_rabbitmq_names_the_right(copy):
    copy.write_note_task()
    with lent(rabbitmq_node()) as node:
        node.control("await_startup")
        node.control("add_user", "shop", "secret")
        for rights, name, right in OF_RABBITMQ.values():
            node.control("set_permissions", "shop", *rights)
            told = refusal(copy, node.url.replace("guest:guest", "shop:secret"))
            assert name in told
            assert right in told
