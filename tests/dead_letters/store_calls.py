"""Runs in a baked project's Python: does what stdin tells, a line of JSON for each call and each answer.

Only what no method of `app.dead_letters` does is done on the broker itself: to look without disturbing, and to
put back what there was.
"""

import dataclasses
import importlib
import json
import socket
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import amqp
import redis

from celery_runtime.dead_letters import DeadLetter, DeadLetterFilter, StoreBusy, StoreError
from celery_runtime.dead_letters import requeue as publishing
from celery_runtime.testing.clock import waited
from shop import app

QUEUE = "tasks"
KINDS = ("network.refused", "network.timeout", "unexpected")
BOUNDLESS = {"dead_letter_retention": 10 * 365 * 24 * 3600.0, "dead_letter_maximum": 10**9}
SEEN_AGAIN = 10.0  # seconds in which a server has noticed that a reader was killed

app.conf.update(BOUNDLESS)
dead_letters = app.dead_letters


def new_entry(number: int, age: float) -> DeadLetter:
    moment = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    task = "shop.celery_tasks.ex1_orders.charge"
    return DeadLetter(
        id=str(uuid.uuid4()),
        task=task,
        kind=KINDS[number % len(KINDS)],
        message="no answer in 5 s",
        attempts=3,
        first_failure=moment,
        last_failure=moment,
        queue=QUEUE,
        priority=number % 10,
        signature={"task": task, "args": [number], "kwargs": {}, "options": {}},
    )


class OnRedis:
    @cached_property
    def client(self) -> redis.Redis:
        return redis.Redis(connection_pool=app.connection_for_write().default_channel.pool)

    def save(self) -> None:
        for key in dead_letters.store.keys:
            self.client.copy(key, f"saved:{key}", replace=True)

    def restore(self) -> None:
        for key in self._lists():
            self.client.delete(key)
        for key in dead_letters.store.keys:
            self.client.copy(f"saved:{key}", key, replace=True)

    def stored(self) -> list[str]:
        entries, by_time = dead_letters.store.keys
        ids = [member.decode().split("\t")[2] for member in self.client.zrange(by_time, 0, -1)]
        assert {id_.decode() for id_ in self.client.hkeys(entries)} == set(ids)
        return ids

    def queued(self) -> list[str]:
        messages = [message for key in self._lists() for message in self.client.lrange(key, 0, -1)]
        return [json.loads(message)["headers"]["id"] for message in messages]

    def cut(self) -> None:
        """Close the connections of this process, as seen from the server."""
        self.client.client_kill_filter(_type="normal", skipme=True)

    def _lists(self) -> list[bytes]:
        lists = self.client.keys(f"{dead_letters.store.prefix}{QUEUE}*")
        return [key for key in lists if not key.endswith(b"tokens")]  # those have no messages


class OnRabbitMQ:
    @cached_property
    def connection(self) -> Any:
        options = {**app.conf.broker_transport_options, "confirm_publish": False}
        connection = app.connection_for_write().clone(transport_options=options)
        with connection.channel() as channel:
            app.amqp.queues[QUEUE].bind(channel).declare()
        return connection

    def save(self) -> None:
        self.saved = self._messages(dead_letters.store.queue)

    def restore(self) -> None:
        with self.connection.channel() as channel:
            channel.queue_purge(QUEUE)
            channel.queue_purge(dead_letters.store.queue)
            channel.tx_select()
            for message in self.saved:
                copy = amqp.Message(message.body, **message.properties)
                channel.basic_publish(copy, routing_key=dead_letters.store.queue)
            channel.tx_commit()

    def stored(self) -> list[str]:
        return [message.headers["id"] for message in self._messages(dead_letters.store.queue)]

    def queued(self) -> list[str]:
        return [message.headers["id"] for message in self._messages(QUEUE)]

    def cut(self) -> None:
        """Shut the socket that was used last: a server that others use is not to be stopped."""
        with app.pool.acquire() as connection:
            connection.connection.sock.shutdown(socket.SHUT_RDWR)

    def _messages(self, queue: str) -> list[Any]:
        with self.connection.channel() as channel:
            return list(iter(lambda: channel.basic_get(queue), None))


broker = OnRedis() if type(dead_letters.store).__name__ == "RedisStore" else OnRabbitMQ()


def progress(pause: float = 0.0) -> Callable[[str], None]:
    def tell(id_: str) -> None:
        print(json.dumps({"progress": id_}), flush=True)
        time.sleep(pause)

    return tell


def ready() -> None:
    """Is answered as soon as all is imported."""


def add(number: int, age: float = 0.0, **limits: float) -> dict[str, Any]:
    """Add so many entries within the limits, which are settings; return their ids, and the seconds that the slowest has waited."""
    ids, slowest = [], 0.0
    app.conf.update({f"dead_letter_{name}": limit for name, limit in limits.items()})
    for one in range(number):
        entry = new_entry(one, age)
        start = waited()
        dead_letters.store.add(entry)
        slowest = max(slowest, waited() - start)
        ids.append(entry.id)
    app.conf.update(BOUNDLESS)
    return {"ids": ids, "slowest": slowest}


def fill(number: int) -> list[str]:
    """Add so many entries, whose last failures are a second apart; keep a copy of them all. Return their ids."""
    ids = []
    for one in range(number):
        entry = new_entry(one, age=number - one)
        dead_letters.store.add(entry)
        ids.append(entry.id)
    broker.save()
    broker.restore()
    return ids


def restore() -> None:
    """Put back what `fill` has added, and empty the queue."""
    broker.restore()


def where(expected: int) -> dict[str, list[str]]:
    """Return the ids in the store, oldest first, and those in the queue.

    Those that a killed reader held come back in a moment: until so many are there again, look anew.
    """
    deadline = time.monotonic() + SEEN_AGAIN
    while True:
        found = {"stored": broker.stored(), "queued": broker.queued()}
        if sum(map(len, found.values())) >= expected or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def requeue() -> list[str]:
    return dead_letters.requeue(all=True, on_each=progress()).ids


def requeue_with_pauses() -> list[str]:
    """Requeue all at a rate, with RabbitMQ's store closed at each pause; each task fails again at once."""
    module: Any = importlib.import_module("celery_runtime.dead_letters.rabbitmq")
    module.LONGEST_OPEN_WITH_PAUSES = 0.0

    def fail_again(id_: str) -> None:
        dead_letters.store.add(dataclasses.replace(new_entry(0, age=0.0), id=id_, requeues=1))

    return dead_letters.requeue(all=True, rate=1000, on_each=fail_again).ids


def purge() -> list[str]:
    return dead_letters.purge(all=True, on_each=progress(pause=0.001))


def count() -> int:
    return sum(dead_letters.count().values())


def count_again(times: int) -> list[int]:
    """Count so many times, each right after the other."""
    return [count() for _ in range(times)]


def count_between(times: int) -> list[int]:
    """Count until it was possible so many times: somebody else reads in between."""
    counts: list[int] = []
    while len(counts) < times:
        try:
            counts.append(count())
        except StoreBusy:
            continue
    return counts


def look_in(seconds: float) -> int:
    """Open the store again and again, and close it before all is read; return how often."""
    looked = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with dead_letters.store.open() as reading:
                for number, _ in enumerate(reading.find(DeadLetterFilter())):
                    if number == looked % 50:
                        break
        except StoreBusy:
            continue
        looked += 1
    return looked


def hold(number: int) -> int:
    """Read so many entries, tell it, and hold them until stdin says a word; return how many were seen."""
    seen = 0
    with dead_letters.store.open() as reading:
        for held in reading.find(DeadLetterFilter()):
            seen += 1
            if seen == number:
                progress()(held.summary.id)
                sys.stdin.readline()
    return seen


def cut() -> None:
    """Have the connections that are kept open go stale."""
    broker.cut()


def requeue_until_cut(number: int, moment: str) -> None:
    """Requeue entries one by one; with the last of so many, cut the connection before it is told to publish or commit."""
    with dead_letters.store.open() as reading:
        for done, held in enumerate(reading.find(DeadLetterFilter()), start=1):

            def publish(producer: Any, held: Any = held, done: int = done) -> None:
                if done == number and moment == "publish":
                    reading.connection.connection.sock.shutdown(socket.SHUT_RDWR)
                publishing.publish(app, held.load(), producer)
                if done == number and moment == "commit":
                    reading.connection.connection.sock.shutdown(socket.SHUT_RDWR)

            reading.take(held, publish)


def odd_ids() -> list[str]:
    """Add entries whose ids hold a tab or a line feed, one of them twice; return the ids that are found, then removed."""
    entries = [new_entry(number, age=1.0) for number in range(3)]
    for entry, id_ in zip(entries, ("a\tb", "a\nb", "plain"), strict=True):
        object.__setattr__(entry, "id", id_)
        dead_letters.store.add(entry)
    dead_letters.store.add(entries[1])
    found = sorted(entry.id for entry in dead_letters.find())
    assert found == sorted(dead_letters.purge(all=True))
    assert count() == 0
    return found


def look_at_age_always() -> None:
    """Have RabbitMQ's store look for what is too old with each entry, not once a minute."""
    store = importlib.import_module("celery_runtime.dead_letters.rabbitmq")
    store.LOOK_AT_AGE_EVERY = 0.0


CALLS = {
    call.__name__: call
    for call in (
        *(
            ready,
            add,
            fill,
            restore,
            where,
            requeue,
            purge,
            count,
            count_again,
            count_between,
            look_in,
            hold,
            cut,
        ),
        *(requeue_with_pauses, requeue_until_cut, odd_ids, look_at_age_always),
    )
}


def main() -> None:
    for line in iter(sys.stdin.readline, ""):
        name, arguments = json.loads(line)
        try:
            answer = {"result": CALLS[name](**arguments)}
        except StoreError as error:
            answer = {"error": type(error).__name__, "told": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
