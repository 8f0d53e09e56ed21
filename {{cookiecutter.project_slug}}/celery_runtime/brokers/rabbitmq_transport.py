"""kombu's RabbitMQ transport, with names of the project alone, guarded against properties py-amqp cannot read.

Runs in: every process that connects. Names that are not UTF-8, a moment that no calendar has, or tables nested without
end raise an error in the middle of a frame: a worker would end on it, get the message again, and end. RabbitMQ itself
carries all of these.

Source: amqp/method_framing.py (`frame_handler`, a public argument of `amqp.Connection`), amqp 5.3.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import amqp
from amqp import method_framing
from amqp.serialization import decode_properties_basic
from kombu.transport import pyamqp

from celery_runtime.brokers import DELAYED, WorkerChannel, rabbitmq_delays, rabbitmq_names
from celery_runtime.brokers.delays import seconds_left
from celery_runtime.brokers.nesting import DEEPEST, is_shallow

# In place of the properties: what is wrong with them. And in place of the headers: the properties as they came.
UNREADABLE = "unreadable"
PACKED = "unreadable_properties"
# RabbitMQ notes each queue in which a message was delayed, and drops without a word one that passes the same again.
DEATHS = ("x-death", "x-first-death-", "x-last-death-")
REDELIVERED = "redelivered"  # a header of a message that is delivered later, as it was redelivered before
HEADER = 2  # the type of a frame that holds the properties
START = 12  # they begin here, after the class and the size of the body
NO_PROPERTIES = b"\0\0"


def guarded_frames(connection: Any, on_method: Callable[..., None]) -> Callable[[Any], bool]:
    """Return py-amqp's frame handler, which reads on where it cannot read the properties of a message."""
    unreadable: dict[int, dict[str, Any]] = {}  # by channel, until the body has arrived

    def on_checked_method(channel: int, method: Any, arguments: Any, content: Any) -> None:
        if content is not None:
            if channel in unreadable:
                content.properties = unreadable.pop(channel)
            elif not is_shallow(content.properties):
                content.properties = _stand_in(f"they are nested more than {DEEPEST} deep", b"")
        on_method(channel, method, arguments, content)

    handle: Any = method_framing.frame_handler(connection, on_checked_method)

    def on_frame(frame: tuple[int, int, bytes]) -> bool:
        kind, channel, buffer = frame
        try:
            return bool(handle(frame))
        except Exception as error:
            if kind != HEADER or _can_be_read(buffer):
                raise
            unreadable[channel] = _stand_in(f"{type(error).__name__}: {error}", buffer[START:])
            return bool(handle((kind, channel, bytes(buffer[:START]) + NO_PROPERTIES)))

    return on_frame


def _can_be_read(buffer: bytes) -> bool:
    with suppress(Exception):  # a decoder can raise anything
        decode_properties_basic(buffer, START)
        return True
    return False


def _stand_in(problem: str, packed: bytes) -> dict[str, Any]:
    text = bytes(packed).decode("ascii", "backslashreplace")
    return {UNREADABLE: f"its properties cannot be read: {problem}", "application_headers": {PACKED: text}}


class Channel(WorkerChannel, pyamqp.Channel):
    """Delays what is published before it is due, and has what was delayed look as it was published.

    The server has the names of `rabbitmq_names`; whoever calls a channel has those of the program.
    """

    def __init__(self, connection: Any, *args: Any, **options: Any) -> None:
        self.project = connection.project
        super().__init__(connection, *args, **options)

    def send_method(self, sig: Any, format: Any = None, args: Any = None, *others: Any, **options: Any) -> Any:
        if sig in rabbitmq_names.NAMES:
            args = rabbitmq_names.arguments_on_server(self.project, sig, args)
        return super().send_method(sig, format, args, *others, **options)

    def queue_declare(self, *args: Any, **options: Any) -> Any:
        told = super().queue_declare(*args, **options)
        return told and told._replace(queue=rabbitmq_names.in_program(self.project, told.queue))

    def _basic_publish(self, msg: Any, exchange: str = "", routing_key: str = "", **options: Any) -> Any:
        # A private hook of py-amqp: with and without confirms, every message is published by it.
        is_on_its_way = exchange.startswith(f"{DELAYED}.")
        if not is_on_its_way and (seconds := seconds_left(msg.properties.get("application_headers"))):
            exchange, routing_key = self._delayed_route(msg, exchange, routing_key, seconds)
        return super()._basic_publish(msg, exchange, routing_key, **options)

    basic_publish = _basic_publish

    def publish_later(self, message: Any, seconds: float) -> None:
        """Publish a copy of a message that another channel has received."""
        origin, properties = message.delivery_info, dict(message.properties)
        properties["application_headers"] = {**message.headers, REDELIVERED: origin["redelivered"]}
        copy = amqp.Message(message.body, **properties)
        self.basic_publish(copy, *self._delayed_route(copy, origin["exchange"], origin["routing_key"], seconds))

    def _delayed_route(self, message: Any, exchange: str, routing_key: str, seconds: float) -> tuple[str, str]:
        """Return the exchange and the routing key by which a message comes where it is published to, but later."""
        declared = self.connection.declared
        lane = rabbitmq_delays.LANES[(message.properties.get("priority") or 0) > 4]
        words = rabbitmq_delays.words_of(seconds)
        levels = len(words.lstrip("0"))  # the others are passed by
        if declared.get(lane, 0) < levels:
            rabbitmq_delays.declare(self, lane, levels)
            declared[lane] = levels
        if (exchange, routing_key) not in declared:
            end = rabbitmq_delays.declare_end(self, exchange, routing_key)
            declared[exchange, routing_key] = end
        first = rabbitmq_delays.level_queues(lane)[levels - 1]
        return first, ".".join([*words, declared[exchange, routing_key]])

    def message_to_python(self, raw_message: Any) -> Any:
        origin = raw_message.delivery_info
        for name in ("exchange",) if origin["exchange"] else ("routing_key",):
            origin[name] = rabbitmq_names.in_program(self.project, origin[name])
        headers = raw_message.properties.get("application_headers") or {}
        if headers.pop(REDELIVERED, False):
            origin["redelivered"] = True
        for name in [name for name in headers if str(name).startswith(DEATHS)]:  # one may be bytes
            del headers[name]
        return super().message_to_python(raw_message)


class Connection(pyamqp.Connection):
    Channel = Channel

    def __init__(self, *args: Any, project: str, **options: Any) -> None:
        super().__init__(*args, **{"frame_handler": guarded_frames, **options})
        self.project = project
        self.declared: dict[Any, Any] = {}  # levels of a lane, and ends, that this connection has declared


class Transport(pyamqp.Transport):
    Connection = Connection


class ReadOptions(dict[str, Any]):
    """The options of a connection as py-amqp knows them, which the connections of a pool take over."""


class SSLTransport(pyamqp.SSLTransport):
    """Verifies certificate and host name of the server, unless the URL or `broker_use_ssl` states otherwise.

    py-amqp compares no name by itself. The options of a URL are named as those of Redis, such as `ssl_ca_certs`.
    """

    Connection = Connection

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        if isinstance(client.ssl, ReadOptions):
            return
        stated = client.ssl if isinstance(client.ssl, dict) else {}
        tls = {name.removeprefix("ssl_"): value for name, value in stated.items()}
        if "context" not in tls:
            tls = {"cert_reqs": ssl.CERT_REQUIRED, **tls}
        if tls.pop("check_hostname", tls.get("cert_reqs") is not ssl.CERT_NONE):
            tls.setdefault("server_hostname", None)  # that of the URL
        client.ssl = ReadOptions(tls)
