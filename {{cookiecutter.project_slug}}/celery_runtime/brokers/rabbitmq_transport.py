"""kombu's RabbitMQ transport, guarded against messages whose properties py-amqp cannot read.

Runs in: every process that connects. Names that are not UTF-8, a moment that no calendar has, or tables nested without
end raise an error in the middle of a frame: a worker would end on it, get the message again, and end. RabbitMQ itself
carries all of these.

Source: amqp/method_framing.py (`frame_handler`, a public argument of `amqp.Connection`), amqp 5.3.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from amqp import method_framing
from amqp.serialization import decode_properties_basic
from kombu.transport import pyamqp

from celery_runtime.brokers import WorkerChannel
from celery_runtime.brokers.nesting import DEEPEST, is_shallow

# In place of the properties: what is wrong with them. And in place of the headers: the properties as they came.
UNREADABLE = "unreadable"
PACKED = "unreadable_properties"
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
    pass


class Connection(pyamqp.Connection):
    Channel = Channel

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"frame_handler": guarded_frames, **options})


class Transport(pyamqp.Transport):
    Connection = Connection


class SSLTransport(pyamqp.SSLTransport):
    """Verifies certificate and host name of the server, unless the URL or `broker_use_ssl` states otherwise.

    py-amqp compares no name by itself. The options of a URL are named as those of Redis, such as `ssl_ca_certs`.
    """

    Connection = Connection

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        stated = client.ssl if isinstance(client.ssl, dict) else {}
        tls = {name.removeprefix("ssl_"): value for name, value in stated.items()}
        if "context" not in tls:
            tls = {"cert_reqs": ssl.CERT_REQUIRED, **tls}
        if tls.pop("check_hostname", tls.get("cert_reqs") is not ssl.CERT_NONE):
            tls.setdefault("server_hostname", None)  # that of the URL
        client.ssl = tls
