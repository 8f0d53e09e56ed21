"""`make outages`: take brokers away, flush them and fill their disk, and print what is seen of it."""

import sys
import tempfile
from pathlib import Path

from tests.outages import outages
from tests.outages.outages import Row, Scene

from . import rabbitmq_node, redis_server
from .baking import plain_project
from .unavailable import Unavailable


def main() -> None:
    try:
        rows = cause_all()
    except Unavailable as error:
        sys.exit(f"error: {error}.")
    for row in rows:
        print(f"{row.outage} ({row.broker}){'' if row.is_right else ': WRONG'}")
        for line in row.seen:
            print(f"    {line}")
    sys.exit(not all(row.is_right for row in rows))


def cause_all() -> list[Row]:
    """Cause every outage, on servers of its own."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="outages-") as name:
        folder = Path(name)
        project = plain_project(folder)
        outages.prepare(project)
        with redis_server.redis_server() as redis, rabbitmq_node.rabbitmq_node() as rabbitmq:
            on_redis = Scene(project, redis, redis.url, folder)
            with redis_server.redis_server() as results:
                on_rabbitmq = Scene(project, rabbitmq, results.url, folder)
                rows += [cause(scene) for cause in outages.OUTAGES for scene in (on_redis, on_rabbitmq)]
            rows += [cause(on_redis) for cause in outages.OF_REDIS]
        try:
            rows.append(outages.disk_of_the_embedded_broker_is_full(project, folder / "disk"))
        except Unavailable as error:
            print(f"the disk of the embedded broker is full: not caused, because {error}")
    return rows


if __name__ == "__main__":
    main()
