"""Answer HTTP requests as a test says.

Runs in: the tests.
"""

import threading
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

Answer = tuple[int, dict[str, str]]


class AnsweringServer:
    """Serve HTTP on this machine, with these answers in turn, and the last one again and again.

    An answer is a status and its headers; a status of 0 closes the connection without one.
    """

    def __init__(self, *answers: Answer | int) -> None:
        self.answers = [(answer, {}) if isinstance(answer, int) else answer for answer in answers]
        self.times: list[float] = []  # when it was asked, in seconds
        self.headers: list[Message] = []  # of each request
        self.bodies: list[bytes] = []

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                outer.times.append(time.monotonic())
                outer.headers.append(self.headers)
                status, headers = outer.answers[min(len(outer.times), len(outer.answers)) - 1]
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def pauses(self) -> list[float]:
        """Return the seconds between one request and the next."""
        return [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]
