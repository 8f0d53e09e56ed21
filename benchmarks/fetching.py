"""How many short tasks a worker takes from Redis in a second: in one step with their notes, or as kombu does it."""

import json
import statistics
import tempfile
from pathlib import Path

from scripts.baking import BakedProject
from scripts.redis_server import RedisServer, redis_server
from tests.workers import running_worker

from .project import installed_project
from .side_by_side import interleave
from .table import print_table

TASKS = 3000
ROUNDS = 5
PROCESSES = 2
TASK_FILE = """
from ..celery_config import app

@app.task(queue="tasks", ignore_result=True)
def nothing(): ...
"""
PUBLISH = f"""
import json, time
from shop.celery_tasks.ex90_nothing import nothing
nothing.delay()
start = time.perf_counter()
for _ in range({TASKS - 1}): nothing.delay()
print(json.dumps({TASKS - 1} / (time.perf_counter() - start)))
"""
RUN = """
import json, time
from shop import app

def left(channel):
    with channel.conn_or_acquire() as client:
        return channel._size("tasks") + client.hlen(channel.unacked_key)

with app.connection_for_read() as connection:
    channel = connection.default_channel
    number, start = left(channel), time.perf_counter()
    while left(channel):
        time.sleep(0.005)
    print(json.dumps(number / (time.perf_counter() - start)))
"""
# What the project changes is taken back.
AS_KOMBU_DOES = """
for name in ("QoS", "basic_consume", "_brpop_start", "_brpop_read", "_put", "_do_restore_message"):
    delattr(Channel, name)
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cookiecutter-celery-") as scratch, redis_server() as server:
        ours = installed_project(Path(scratch) / "ours", "plain")
        stock = installed_project(Path(scratch) / "stock", "plain")
        for project in (ours, stock):
            (project.tasks / "ex90_nothing.py").write_text(TASK_FILE)
        with (stock.path / "celery_runtime/brokers/redis_transport.py").open("a") as file:
            file.write(AS_KOMBU_DOES)
        cases = {
            "as kombu does": lambda: _rates(stock, server, Path(scratch)),
            "in one step": lambda: _rates(ours, server, Path(scratch)),
        }
        rates = interleave(cases, ROUNDS)
    rows = [("", "published", "over kombu", "run", "over kombu", "")]
    medians = {name: [statistics.median(one) for one in zip(*runs, strict=True)] for name, runs in rates.items()}
    for name, (published, run) in medians.items():
        of_kombu = medians["as kombu does"]
        ratios = (f"{published / of_kombu[0]:.2f}", f"{run / of_kombu[1]:.2f}")
        rows.append((name, f"{published:.0f}/s", ratios[0], f"{run:.0f}/s", ratios[1], ""))
    print_table(f"{TASKS} tasks that do nothing, {PROCESSES} processes, Redis", rows)


def _rates(project: BakedProject, server: RedisServer, scratch: Path) -> tuple[float, float]:
    """Return how many tasks a second are published, and run."""
    variables = {"CELERY_BROKER_URL": server.url, "APP_ENV": "test"}
    published = _printed(project, PUBLISH, **variables)
    with running_worker(project, scratch / "log", concurrency=PROCESSES, **variables):
        return published, _printed(project, RUN, **variables)


def _printed(project: BakedProject, code: str, **variables: str) -> float:
    return float(json.loads(project.run(project.python, "-c", code, check=True, **variables).stdout))
