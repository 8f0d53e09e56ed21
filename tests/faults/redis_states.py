"""A Redis in each state that a client can meet, and a client for them."""

import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.faults.loopback import HOST, closed_port, full_port, served_port, silent_port
from tests.faults.redis_process import redis_folder, redis_process

PASSWORD = "correct"
PREPARE_SECONDS = 5
# So many that loading them outlasts the area.
LOADED_KEYS = 40_000
LOAD_MICROSECONDS = "200"


class Ports(NamedTuple):
    """One server in each state that a client can meet."""

    open: int
    protected: int
    replica: int
    stale_replica: int
    full: int
    crowded: int
    unsaved: int
    loading: int
    closed: int
    silent: int
    unreachable: int
    hanging_up: int


def start_all(stack: ExitStack) -> Ports:
    """Start them, to be ended with `stack`."""
    folder = stack.enter_context(redis_folder())

    def start(name: str, *options: str) -> int:
        (folder / name).mkdir(exist_ok=True)
        return stack.enter_context(redis_process(folder / name, *options))

    open_ = start("open", "--lua-time-limit", "5")
    _prepare(open_)
    (folder / "loading").mkdir()
    shutil.copy(folder / "open" / "dump.rdb", folder / "loading")
    closed = stack.enter_context(closed_port())
    replica = ("--replicaof", f"{HOST} {closed}")
    slow_load = ("--key-load-delay", LOAD_MICROSECONDS, "--loading-process-events-interval-bytes", "1024")
    unsaved = start("unsaved")
    _fail_to_save(unsaved, folder / "unsaved")
    return Ports(
        open=open_,
        protected=start("protected", "--requirepass", PASSWORD),
        replica=start("replica", *replica),
        stale_replica=start("stale_replica", *replica, "--replica-serve-stale-data", "no"),
        full=start("full", "--maxmemory", "1"),
        crowded=start("crowded", "--maxclients", "1"),
        unsaved=unsaved,
        loading=start("loading", *slow_load),
        closed=closed,
        silent=stack.enter_context(silent_port()),
        unreachable=stack.enter_context(full_port()),
        hanging_up=stack.enter_context(served_port(lambda connection: connection.recv(4096))),
    )


def client(port: int, **options: Any) -> redis.Redis:
    """A client that gives up soon: by default redis-py tries again for seconds."""
    limits = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3, "retry": Retry(NoBackoff(), 1)}
    return redis.Redis(**{"host": HOST, "port": port, **limits, **options})


def _prepare(port: int) -> None:
    with client(port, socket_timeout=PREPARE_SECONDS) as administrator:
        administrator.mset({f"key{number}": "value" for number in range(LOADED_KEYS)})
        administrator.save()
        administrator.set("number", 0)
        administrator.rpush("list", "element")
        administrator.acl_setuser("reader", enabled=True, passwords=[f"+{PASSWORD}"], commands=["+get"])


def _fail_to_save(port: int, folder: Path) -> None:
    with client(port) as administrator:
        administrator.config_set("save", "3600 1")
        folder.rmdir()
        administrator.bgsave()
        end = time.monotonic() + PREPARE_SECONDS
        while administrator.info("persistence")["rdb_last_bgsave_status"] == "ok":
            if time.monotonic() > end:
                raise RuntimeError("Redis saves into a folder that is gone")
            time.sleep(0.01)
