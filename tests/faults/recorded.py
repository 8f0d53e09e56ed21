"""Faults of libraries that are not installed: stand-ins with the classes, attributes and chains that they raise."""

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import IncompleteRead, RemoteDisconnected
from typing import NamedTuple, NoReturn

from urllib3 import exceptions as urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from tests.faults import botocore_classes as botocore
from tests.faults.fault import Fault

HOST, URL = "faults.invalid", "https://faults.invalid/"


class Answer(NamedTuple):
    """What a service of AWS answers."""

    name: str
    expected: str
    status: int
    code: str
    modelled: bool = True
    retry_after: int | None = None


ANSWERS = [
    Answer("HTTP 400", "external.rejected", 400, "ValidationException"),
    Answer("HTTP 403", "external.auth", 403, "AccessDenied"),
    Answer("HTTP 404", "external.rejected", 404, "NoSuchKey"),
    Answer("HTTP 429", "external.busy", 429, "TooManyRequestsException"),
    Answer("HTTP 429, Retry-After in seconds", "external.busy", 429, "TooManyRequestsException", retry_after=3),
    Answer("HTTP 500", "external.unavailable", 500, "InternalError", modelled=False),
    Answer("HTTP 503", "external.unavailable", 503, "ServiceUnavailable", modelled=False),
    Answer("HTTP 503, Retry-After in seconds", "external.busy", 503, "ServiceUnavailable", False, 5),
    Answer("throttled with HTTP 400", "external.busy", 400, "ThrottlingException"),
    Answer("throughput with HTTP 400", "external.busy", 400, "ProvisionedThroughputExceededException"),
]


@contextmanager
def faults() -> Iterator[list[Fault]]:
    yield [*connection_faults(), *map(answer_fault, ANSWERS)]


def connection_faults() -> Iterator[Fault]:
    connection, pool = HTTPConnection(HOST), HTTPConnectionPool(HOST)

    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    unresolved = urllib3.NameResolutionError(HOST, connection, unknown)
    yield fault("DNS", "network.dns", botocore.EndpointConnectionError, unresolved, unknown)

    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    unconnected = urllib3.NewConnectionError(connection, f"Failed to establish a new connection: {refused}")
    yield fault("refused", "network.unavailable", botocore.EndpointConnectionError, unconnected, refused)

    slow = TimeoutError("timed out")
    connecting = urllib3.ConnectTimeoutError(connection, f"Connection to {HOST} timed out.")
    yield fault("connect time-out", "network.timeout", botocore.ConnectTimeoutError, connecting, slow)

    reading = urllib3.ReadTimeoutError(pool, "/", "Read timed out.")
    yield fault("read time-out", "network.timeout", botocore.ReadTimeoutError, reading, slow)

    reset = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    aborted = urllib3.ProtocolError("Connection aborted.", reset)
    yield fault("reset", "network.unavailable", botocore.ConnectionClosedError, aborted, reset)

    closed = RemoteDisconnected("Remote end closed connection without response")
    aborted = urllib3.ProtocolError("Connection aborted.", closed)
    yield fault("closed without reply", "network.disconnected", botocore.ConnectionClosedError, aborted, closed)

    cut = IncompleteRead(b"cut", 97)
    broken = urllib3.ProtocolError(f"Connection broken: {cut!r}", cut)
    yield fault("truncated body", "network.disconnected", botocore.ResponseStreamingError, broken, cut)

    unverified = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    untrusted = urllib3.SSLError(unverified)
    yield fault("bad certificate", "network.tls", botocore.SSLError, untrusted, unverified)


def fault(name: str, expected: str, outermost: type, inner: Exception, innermost: Exception) -> Fault:
    chain = [outermost(endpoint_url=URL, error=inner), inner, innermost]
    return Fault(name, "botocore", expected, partial(raise_chain, chain))


def answer_fault(answer: Answer) -> Fault:
    headers = {} if answer.retry_after is None else {"retry-after": str(answer.retry_after)}
    chain = [botocore.client_error(answer.code, answer.status, headers, answer.modelled)]
    return Fault(answer.name, "botocore", answer.expected, partial(raise_chain, chain), answer.retry_after)


def raise_chain(chain: list[Exception]) -> NoReturn:
    """Raise the first exception in the handling of the second, and so on."""
    outermost, *inner = chain
    try:
        if inner:
            raise_chain(inner)
    finally:
        raise outermost
