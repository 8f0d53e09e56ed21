"""An HTTP server which misbehaves as the path of the request says, by HTTP or with a bad certificate."""

import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path

from tests.faults.fault import Unavailable
from tests.faults.loopback import HOST, served_port


@contextmanager
def http_server() -> Iterator[str]:
    """The URL of the server.

    /reset, /closed and /truncated break the connection, /json and /page answer with a broken document, and /status/CODE,
    /status/CODE/seconds/N and /status/CODE/date/N answer with that code, and with a Retry-After of N seconds.
    """
    with served_port(respond) as port:
        yield f"http://{HOST}:{port}"


@contextmanager
def https_server() -> Iterator[str]:
    """The URL of the same server behind a self-signed certificate."""
    if shutil.which("openssl") is None:
        raise Unavailable("openssl is not installed")
    with tempfile.TemporaryDirectory() as folder:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self_signed(Path(folder)))

    def respond_over_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            respond(encrypted)

    with served_port(respond_over_tls) as port:
        yield f"https://{HOST}:{port}"


@contextmanager
def closing_tls_port() -> Iterator[int]:
    """A port that closes the connection in the middle of the TLS handshake."""
    with served_port(lambda connection: connection.recv(1 << 16)) as port:
        yield port


def self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-addext", f"subjectAltName=IP:{HOST}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def respond(connection: socket.socket) -> None:
    match request_path(connection).strip("/").split("/"):
        case ["reset"]:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case ["closed"]:
            pass
        case ["truncated"]:
            send(connection, HTTPStatus.OK, {"Content-Length": "100"}, b'{"cut": ')
        case ["json"]:
            send(connection, HTTPStatus.OK, {"Content-Type": "application/json"}, b'{"cut": ')
        case ["page"]:
            send(connection, HTTPStatus.OK, {"Content-Type": "text/html"}, b"<p>Maintenance</p>")
        case ["status", code]:
            send(connection, HTTPStatus(int(code)), {})
        case ["status", code, "seconds", seconds]:
            send(connection, HTTPStatus(int(code)), {"Retry-After": seconds})
        case ["status", code, "date", seconds]:
            date = formatdate(time.time() + int(seconds), usegmt=True)
            send(connection, HTTPStatus(int(code)), {"Retry-After": date})


def request_path(connection: socket.socket) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        received = connection.recv(4096)
        if not received:
            raise ConnectionAbortedError("the client left before its request was complete")
        head += received
    return head.split()[1].decode()


def send(connection: socket.socket, status: HTTPStatus, headers: dict[str, str], body: bytes = b"{}") -> None:
    lines = [f"HTTP/1.1 {status} {status.phrase}"]
    given = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    lines += [f"{name}: {value}" for name, value in (given | headers).items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
