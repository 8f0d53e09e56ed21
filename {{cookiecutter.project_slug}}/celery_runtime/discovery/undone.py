"""Name the settings of a project that undo a promise of this library. Each may be meant. Runs in: as `checks.py`."""

from collections.abc import Callable, Iterator
from operator import not_
from typing import Any

from celery_runtime.brokers import urls
from celery_runtime.brokers.priorities import LEVELS

SHORTEST_LEASE = 10  # seconds; a busy machine may not renew a shorter one in time
Rules = dict[str, tuple[Callable[[Any], object], str]]

SETTINGS: Rules = {
    "task_acks_late": (not_, "what a worker runs when it is killed is lost"),
    "task_always_eager": (bool, "no task reaches a worker"),
    "task_create_missing_queues": (bool, "a queue that is misspelt is created, and no worker reads it"),
    "worker_prefetch_multiplier": (lambda stated: stated != 1, "an urgent task waits behind what a worker holds"),
    "worker_consumer": (lambda stated: not stated.startswith("celery_runtime."), "messages are not checked or delayed"),
    "broker_connection_retry": (not_, "a worker ends when its broker is away"),
}
OF_RABBITMQ: Rules = {
    "task_default_delivery_mode": (lambda stated: stated in (1, "transient"), "a restart of RabbitMQ loses what waits"),
    "worker_cancel_long_running_tasks_on_connection_loss": (not_, "after a lost connection tasks run twice at a time"),
}
OPTIONS: Rules = {
    "ack_emulation": (not_, "what a worker runs when it is killed is lost"),
    "confirm_publish": (not_, "a restart of RabbitMQ loses what it has not written"),
    "global_keyprefix": (not_, "projects on one Redis run each other's tasks"),
    "priority_steps": (lambda stated: list(stated) != list(LEVELS[::-1]), "monitors miscount; the order stays"),
    "visibility_timeout": (lambda stated: stated < SHORTEST_LEASE, "a task may run twice at a time"),
}


def undone(conf: Any) -> Iterator[tuple[str, str]]:
    """Yield the name of each setting, or option, that undoes a promise, and what follows from it."""
    of_this_broker = OF_RABBITMQ if urls.is_rabbitmq(conf.broker_write_url or conf.broker_url) else {}
    for values, rules in ((conf, SETTINGS | of_this_broker), (conf.broker_transport_options, OPTIONS)):
        for name, (undoes, consequence) in rules.items():
            if name in values and undoes(values[name]):
                yield name, consequence
