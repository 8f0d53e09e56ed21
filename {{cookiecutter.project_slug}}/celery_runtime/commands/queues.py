"""The command `celery -A PACKAGE queues`: how many messages wait."""

import dataclasses
from typing import Any

import click

from celery_runtime.brokers import BrokerError, Depth, broker_of, embedded
from celery_runtime.brokers.priorities import LEVELS
from celery_runtime.commands.options import as_json, own_app
from celery_runtime.commands.output import echo_json, echo_table


@click.command()
@as_json
def queues(as_json: bool) -> None:
    """Show how many messages wait in each queue, by priority.

    On RabbitMQ they are taken and given back for it; above 10,000 only the sum is shown.
    """
    app = own_app()
    try:
        broker = broker_of(app)
        depths = [broker.depth(queue) for queue in sorted(app.amqp.queues)]
    except BrokerError as error:
        raise click.ClickException(
            f"the broker at {error}\n{embedded.hint(app.conf, 'broker')}".strip()
        ) from None
    if as_json:
        echo_json([dataclasses.asdict(depth) for depth in depths])
    else:
        echo_table(("queue", "total", *map(str, reversed(LEVELS))), map(_depth_row, depths))


def _depth_row(depth: Depth) -> dict[str, Any]:
    counts = depth.by_priority
    levels = {str(level): "?" if counts is None else counts[level] or "." for level in LEVELS}
    return {"queue": depth.queue, "total": depth.total, **levels}
