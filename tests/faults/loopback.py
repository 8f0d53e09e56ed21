"""Loopback ports which refuse, swallow or serve connections."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from tests.faults.fault import Unavailable

HOST = "127.0.0.1"


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses: it is bound, so that nobody else takes it, but nobody listens."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield bound.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port whose connections are established by the kernel and never answered."""
    with socket.create_server((HOST, 0), backlog=1024) as listener:
        yield listener.getsockname()[1]


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose backlog is full: the kernel drops every SYN, so connecting times out."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((HOST, 0), backlog=0))
        for _ in range(16):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.2)
            if waiting.connect_ex(listener.getsockname()):
                break
        else:
            raise Unavailable("this kernel establishes connections beyond the backlog of a socket")
        yield listener.getsockname()[1]


@contextmanager
def served_port(converse: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port whose connections are handed to `converse`, one after the other, and closed afterwards."""
    with socket.create_server((HOST, 0)) as listener:
        server = threading.Thread(target=_serve, args=(listener, converse), daemon=True)
        server.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            server.join(timeout=5)


def _serve(listener: socket.socket, converse: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.settimeout(2)
        with connection, suppress(OSError):
            converse(connection)
