"""`make chaos`: kill and stop workers and their broker at random moments, and account for every task.

`make chaos N=5000 SEED=7 BROKER=rabbitmq KEEP=/tmp/logs` publishes as many, repeats the disasters of that seed, on that
broker, and keeps what the workers have logged.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos import load, run

from . import choices, rabbitmq_node, redis_server
from .baking import plain_project
from .unavailable import Unavailable

SERVERS = {"redis": redis_server.redis_server, "rabbitmq": rabbitmq_node.rabbitmq_node}


def main() -> None:
    broker, number, seed = choices.broker(), choices.number(2_000), choices.seed()
    print(f"{number} tasks on {broker}; SEED={seed} repeats these disasters", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        project = plain_project(folder)
        load.prepare(project)
        logs = folder / "logs"
        logs.mkdir()
        try:
            # The default: on Redis, results are on the broker that is restarted.
            with SERVERS[broker]() as server, redis_server.redis_server() as redis:
                results = server.url if broker == "redis" else redis.url
                account = run.run(project, server, results, logs, number, seed)
        except Unavailable as error:
            sys.exit(f"error: {error}.")
        print(account)
        for id_ in account.lost:
            print(f"lost: {id_}")
        for entry in account.dead:
            print(f"dead: {entry['id']} {entry['kind']}: {entry['message']}")
        if keep := os.environ.get("KEEP"):
            shutil.copytree(logs, keep, dirs_exist_ok=True)
    sys.exit(not account.is_right)


if __name__ == "__main__":
    main()
