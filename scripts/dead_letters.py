"""`make dead-letters`: cause every way to fail on both brokers, and print which dead letter each became."""

import sys
import tempfile
from pathlib import Path

from tests.dead_letters.table import Row, rows

from .baking import plain_project
from .columns import columns
from .rabbitmq import virtual_host
from .redis_server import redis_server
from .unavailable import Unavailable


def main() -> None:
    try:
        found = cause_all()
    except Unavailable as error:
        sys.exit(f"error: {error}.")
    print(table(found))
    sys.exit(not all(row.is_right for row in found))


def cause_all() -> list[Row]:
    """Cause every way to fail on brokers of its own; both must be there."""
    found: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as name,
        redis_server() as redis,
        virtual_host() as rabbitmq,
    ):
        folder = Path(name)
        project = plain_project(folder)
        for broker, url in (("redis", redis.url), ("rabbitmq", rabbitmq)):
            environment = {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": redis.url, "APP_ENV": "test"}
            found += rows(project, broker, folder / f"{broker}.log", **environment)
    return found


def table(found: list[Row]) -> str:
    lines = [("failure", "broker", "dead letters", "kind", "runs", "")]
    for row in sorted(found, key=lambda row: row.failure):
        kind = ", ".join(row.kinds) or ("told in the log" if row.in_log else "")
        wrong = "" if row.is_right else "WRONG"
        runs = "" if row.runs is None else str(row.runs)
        lines.append((row.failure, row.broker, str(len(row.kinds)), kind, runs, wrong))
    wrong = sum(not row.is_right for row in found)
    return "\n".join([*columns(lines), f"{len(found)} failures, {wrong} wrong"])


if __name__ == "__main__":
    main()
