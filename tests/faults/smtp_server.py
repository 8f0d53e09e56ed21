"""An SMTP server which answers each verb as told."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import BinaryIO

from tests.faults.loopback import served_port

GREETING = "greeting"
MESSAGE = "message"
CLOSE = ""

POLITE = MappingProxyType(
    {
        GREETING: "220 ready",
        "EHLO": "250-localhost\r\n250 AUTH PLAIN",
        "AUTH": "235 authenticated",
        "MAIL": "250 sender accepted",
        "RCPT": "250 recipient accepted",
        "DATA": "354 end with a dot",
        MESSAGE: "250 queued",
        "RSET": "250 reset",
        "QUIT": "221 bye",
    }
)


@contextmanager
def smtp_server(answers: Mapping[str, str]) -> Iterator[int]:
    """The port of a server which gives `answers` by verb; CLOSE closes the connection instead."""
    with served_port(partial(_converse, POLITE | answers)) as port:
        yield port


def _converse(answers: Mapping[str, str], connection: socket.socket) -> None:
    with connection.makefile("rwb") as stream:
        verb = GREETING
        while answers[verb]:
            stream.write(answers[verb].encode() + b"\r\n")
            stream.flush()
            if verb == "QUIT":
                return
            verb = MESSAGE if answers[verb].startswith("354") else _verb(stream)
            if verb == MESSAGE:
                _skip_message(stream)


def _verb(stream: BinaryIO) -> str:
    line = stream.readline()
    if not line:
        raise ConnectionAbortedError("the client left")
    return line[:4].decode().upper()


def _skip_message(stream: BinaryIO) -> None:
    while stream.readline() not in (b".\r\n", b""):
        pass
