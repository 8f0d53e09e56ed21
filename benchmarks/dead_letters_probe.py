"""Runs in a baked project's Python; does with its dead letters what stdin tells, and prints seconds as JSON.

Each line is a call: `fill NUMBER` empties the store and fills it, `measure` looks at what is there, `add NUMBER` adds
one by one, `clear` empties it, `memory` prints bytes.

usage: python -m benchmarks.dead_letters_probe PACKAGE
"""

import importlib
import json
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

KINDS = ("network.refused", "network.timeout", "http.503", "time_limit.soft", "unexpected")
LINE = '  File "/srv/shop/celery_tasks/ex1_orders.py", line 42, in charge\n    response = session.post(url)\n'
TOGETHER = 1000
NEWEST = 50


class Probe:
    """A store that is filled in bulk: one by one, 100,000 entries would take minutes."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.app: Any = importlib.import_module(package).app
        self.runtime: Any = importlib.import_module("celery_runtime.dead_letters")
        self.dead_letters = self.app.dead_letters
        self.store = self.dead_letters.store
        self.is_redis = type(self.store).__name__ == "RedisStore"

    def entry(self, number: int, age: float) -> Any:
        moment = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
        task = f"{self.package}.celery_tasks.ex1_orders.charge"
        return self.runtime.DeadLetter(
            id=str(uuid.uuid4()),
            task=task,
            kind=KINDS[number % len(KINDS)],
            origin="requests.exceptions.ConnectionError",
            message="the payments service does not answer",
            traceback=(LINE * 12)[:1000],
            attempts=3,
            attempts_by_kind={KINDS[number % len(KINDS)]: 3},
            first_failure=moment,
            last_failure=moment,
            worker="worker@host",
            queue="tasks",
            priority=5,
            parameters=["order", "amount", "currency"],
            signature={
                "task": task,
                "args": [number, "99.90", "EUR"],
                "kwargs": {"retry": True},
                "options": {},
            },
        )

    def fill(self, number: int) -> None:
        self.clear()
        (self._fill_redis if self.is_redis else self._fill_rabbitmq)(number)

    def clear(self) -> None:
        with self.store.open() as reading:
            if self.is_redis:
                reading.client.delete(*self.store.keys)
            else:
                with reading.connection.channel() as channel:
                    channel.queue_declare(self.store.queue, durable=True, auto_delete=False)
                    channel.queue_purge(self.store.queue)

    def measure(self) -> dict[str, float]:
        dead_letters = self.dead_letters
        newest, listed = timed(lambda: dead_letters.find(limit=NEWEST))
        entry = newest[len(newest) // 2]
        kinds, counted = timed(dead_letters.count)
        shown_entry, shown = timed(lambda: dead_letters.shown(dead_letters.get(entry.id)))
        done, requeued = timed(lambda: dead_letters.requeue(entry.id))
        assert (len(newest), len(kinds)) == (NEWEST, len(KINDS))
        assert (shown_entry["id"], done.ids) == (entry.id, [entry.id])
        return {"list": listed, "count": counted, "show": shown, "requeue": requeued}

    def add(self, number: int) -> list[float]:
        entries = [self.entry(one, 0.0) for one in range(number)]
        return [timed(lambda entry=entry: self.store.add(entry))[1] for entry in entries]

    def memory(self) -> int:
        with self.store.open() as reading:
            return int(reading.client.info("memory")["used_memory"])

    def _fill_redis(self, number: int) -> None:
        with self.store.open() as reading:
            pipeline = reading.client.pipeline(transaction=False)
            for one in range(number):
                entry = self.entry(one, float(number - one))
                member = f"{entry.kind}\t{entry.summary.task}\t{entry.id}"
                pipeline.hset(self.store.keys[0], entry.id, f"{member}\n{entry.to_json()}")
                pipeline.zadd(self.store.keys[1], {member: entry.summary.last_failure})
                if one % TOGETHER == TOGETHER - 1:
                    pipeline.execute()
            pipeline.execute()

    def _fill_rabbitmq(self, number: int) -> None:
        module: Any = sys.modules[type(self.store).__module__]
        with self.store.open() as reading:
            for one in range(number):
                entry = self.entry(one, float(number - one))
                message = module.message_of(entry)
                reading.channel.basic_publish(message, exchange="", routing_key=self.store.queue)
                if one % TOGETHER == TOGETHER - 1:
                    reading.commit()


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def main() -> None:
    probe = Probe(sys.argv[1])
    for line in iter(sys.stdin.readline, ""):
        name, *arguments = line.split()
        print(json.dumps(getattr(probe, name)(*map(int, arguments))), flush=True)


if __name__ == "__main__":
    main()
