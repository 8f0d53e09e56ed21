"""What befalls workers and their broker."""

import random
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from scripts.rabbitmq_node import RabbitMQNode
from scripts.redis_server import RedisServer

from .fleet import Fleet

PROCESSES = 2
DOWN = (1.0, 3.0)  # seconds for which the broker is away


def kill_child(fleet: Fleet, chance: random.Random) -> None:
    children = [child for worker in fleet.workers for child in _children(worker.process.pid)]
    if children:
        with suppress(psutil.NoSuchProcess):
            chance.choice(children).kill()


def kill_worker(fleet: Fleet, chance: random.Random) -> None:
    chance.choice(fleet.workers).process.kill()


def stop_worker(fleet: Fleet, chance: random.Random) -> None:
    chance.choice(fleet.workers).process.terminate()


def restart_broker(server: RedisServer | RabbitMQNode, chance: random.Random) -> None:
    server.stop()
    time.sleep(chance.uniform(*DOWN))
    server.start()


def disasters(
    fleet: Fleet, server: RedisServer | RabbitMQNode, chance: random.Random
) -> list[tuple[str, Callable[[], None]]]:
    """Return one of each kind, by name."""
    return [
        ("SIGKILL to a child", lambda: kill_child(fleet, chance)),
        ("SIGKILL to a worker", lambda: kill_worker(fleet, chance)),
        ("SIGTERM to a worker", lambda: stop_worker(fleet, chance)),
        ("broker restart", lambda: restart_broker(server, chance)),
    ]


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []
