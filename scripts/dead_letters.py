"""`make dead-letters`: cause every way to fail on both brokers, and print which dead letter each became."""

import sys
import tempfile
from pathlib import Path

from tests.dead_letters.table import Row, rows

from .baking import bake
from .demo import silenced_stdout
from .rabbitmq import virtual_host
from .redis_server import redis_server


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as name:
        folder = Path(name)
        with silenced_stdout():
            project = bake(folder, {"project_slug": "shop", "framework": "plain"})
        project.install()
        with redis_server() as server, virtual_host() as rabbitmq:
            redis = server.url
            found: list[Row] = []
            for broker, url in (("redis", redis), ("rabbitmq", rabbitmq)):
                environment = {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": redis, "APP_ENV": "test"}
                found += rows(project, broker, folder / f"{broker}.log", **environment)
    print(table(found))
    sys.exit(not all(row.is_right for row in found))


def table(found: list[Row]) -> str:
    lines = [("failure", "broker", "dead letters", "kind", "runs", "")]
    for row in sorted(found, key=lambda row: row.failure):
        kind = ", ".join(row.kinds) or ("told in the log" if row.in_log else "")
        wrong = "" if row.is_right else "WRONG"
        runs = "" if row.runs is None else str(row.runs)
        lines.append((row.failure, row.broker, str(len(row.kinds)), kind, runs, wrong))
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*text, f"{len(found)} failures, {sum(not row.is_right for row in found)} wrong"])


if __name__ == "__main__":
    main()
