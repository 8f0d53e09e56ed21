"""Define the command `celery -A PACKAGE queues`: how many messages wait."""

import dataclasses
from typing import Any

import click
from kombu.common import Broadcast

from celery_runtime.brokers import Depth, broker_of
from celery_runtime.brokers.priorities import LEVELS
from celery_runtime.commands.shared import as_json, echo_json, echo_table, errors_in_a_line, own_app


@click.command()
@as_json
@errors_in_a_line("the broker at ")
def queues(as_json: bool) -> None:
    """Show how many messages wait in each queue, by priority, and how many for their time.

    On RabbitMQ they are taken and requeued for it; above 10,000 only the sum is shown.
    """
    app = own_app()
    broker = broker_of(app)
    names = sorted(name for name, queue in app.amqp.queues.items() if not isinstance(queue, Broadcast))
    depths, delayed = list(map(broker.depth, names)), broker.count_delayed()
    if as_json:
        echo_json({"queues": [dataclasses.asdict(depth) for depth in depths], "delayed": delayed})
        return
    echo_table(("queue", "total", *map(str, reversed(LEVELS))), map(_depth_row, depths))
    if delayed:
        click.echo(f"{delayed} delayed, not due yet")


def _depth_row(depth: Depth) -> dict[str, Any]:
    counts = depth.by_priority
    levels = {str(level): "?" if counts is None else counts[level] or "." for level in LEVELS}
    return {"queue": depth.queue, "total": depth.total, **levels}
