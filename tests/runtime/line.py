"""A line to a broker, which a test can cut."""

import selectors
import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import parse_qs, urlsplit

PORTS = {"redis": 6379, "amqp": 5672}


class Line:
    """Passes bytes between a port of its own and the broker at `target`; `url` is that of the broker, by this line."""

    def __init__(self, target: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._near = free.getsockname()
        near = f"127.0.0.1:{self._near[1]}"
        parts = urlsplit(target)
        self._far: str | tuple[str | None, int]
        if parts.scheme == "redis+socket":
            self._far = parts.path
            self.url = f"redis://{near}/{parse_qs(parts.query)['virtual_host'][0]}"
        else:
            self._far = (parts.hostname, parts.port or PORTS[parts.scheme])
            login, at, _ = parts.netloc.rpartition("@")
            self.url = parts._replace(netloc=f"{login}{at}{near}").geturl()

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        if self._cutter.fileno() != -1:  # a test that failed may have left it cut
            self.cut()

    def mend(self) -> None:
        self._server = socket.create_server(self._near)
        self._is_cut, self._cutter = socket.socketpair()
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """End all connections; new ones are refused until it is mended."""
        self._cutter.send(b"x")
        self._thread.join()
        self._cutter.close()

    def _pass_on(self) -> None:
        ends: dict[socket.socket, socket.socket] = {}
        with selectors.DefaultSelector() as ready:
            for waited_for in (self._server, self._is_cut):
                ready.register(waited_for, selectors.EVENT_READ)
            while True:
                readable = [key.fileobj for key, _ in ready.select()]
                if self._is_cut in readable:
                    break
                for one in readable:
                    if one is self._server:
                        near, far = self._server.accept()[0], self._connect()
                        ends[near], ends[far] = far, near
                        ready.register(near, selectors.EVENT_READ)
                        ready.register(far, selectors.EVENT_READ)
                    elif one in ends and not self._move(one, ends[one]):
                        for end in (one, ends.pop(one)):
                            ends.pop(end, None)
                            ready.unregister(end)
                            end.close()
        for end in (*ends, self._server, self._is_cut):
            end.close()

    def _connect(self) -> socket.socket:
        if isinstance(self._far, tuple):
            return socket.create_connection(self._far)
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._far)
        return far

    @staticmethod
    def _move(one: socket.socket, other: socket.socket) -> bool:
        with suppress(ConnectionError):
            if data := one.recv(65536):
                other.sendall(data)
                return True
        return False
