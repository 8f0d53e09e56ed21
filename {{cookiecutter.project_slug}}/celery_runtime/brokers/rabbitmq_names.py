"""Names on RabbitMQ: the server has `shop.tasks` where the program says `tasks`, as `global_keyprefix` does on Redis.

Two projects on one virtual host would share the queue `tasks`, and run each other's messages. A name that begins with
"/" is another's: "/tasks" is what the server has as `tasks`. So are those of RabbitMQ itself, which begin with "amq.".
Runs in: every process that connects. Source: amqp/channel.py, 5.3 (in each method the names come after the ticket).
"""

from typing import Any

from amqp import spec

# How many names come first in the arguments of a method, after the ticket.
NAMES = {spec.Exchange.Declare: 1, spec.Exchange.Delete: 1, spec.Exchange.Bind: 2, spec.Exchange.Unbind: 2}
NAMES |= {spec.Queue.Declare: 1, spec.Queue.Delete: 1, spec.Queue.Bind: 2, spec.Queue.Unbind: 2, spec.Queue.Purge: 1}
NAMES |= {spec.Basic.Consume: 1, spec.Basic.Get: 1, spec.Basic.Publish: 1}
EXCHANGE, QUEUE = "x-dead-letter-exchange", "x-dead-letter-routing-key"


def on_server(project: str, name: str) -> str:
    return name.removeprefix("/") if not name or name.startswith(("/", "amq.")) else f"{project}.{name}"


def in_program(project: str, name: str) -> str:
    if not name or name.startswith("amq."):
        return name
    return name.removeprefix(f"{project}.") if name.startswith(f"{project}.") else f"/{name}"


def arguments_on_server(project: str, method: tuple[int, int], arguments: Any) -> Any:
    """Return the arguments of a method as the server is to have them."""
    ticket, *rest = arguments
    # Without an exchange a routing key is the name of a queue.
    number = NAMES[method] + (method == spec.Basic.Publish and not rest[0])
    rest[:number] = [on_server(project, name) for name in rest[:number]]
    if method == spec.Queue.Declare and rest[-1] and EXCHANGE in rest[-1]:
        exchange = rest[-1][EXCHANGE]
        named = [EXCHANGE] if exchange or QUEUE not in rest[-1] else [QUEUE]
        rest[-1] = {**rest[-1], **{name: on_server(project, rest[-1][name]) for name in named}}
    return (ticket, *rest)
