"""Handle what you expect, let every other error out: the table in error_policy.py decides what follows.

Use it for every call to another service. An answer that is part of the business, such as a declined card,
is an outcome and no error. The trap: after a time-out nobody knows whether the other side has done it, so
each request carries a key by which the service tells a repetition from a second order.
"""

import json
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import structlog

from celery_runtime import handling

from ..celery_config import app

logger = structlog.get_logger()


@app.task(queue="tasks")
def charge(service: str, order: str, cents: int) -> str:
    """Charge an order once, however often this runs; return "paid" or "declined"."""
    body = json.dumps({"cents": cents}).encode()
    request = urllib.request.Request(service, body, headers={"Idempotency-Key": f"charge-{order}"})
    try:
        with handling("payments"), urllib.request.urlopen(request, timeout=10):
            pass
    except urllib.error.HTTPError as error:
        if error.code != 402:
            raise
        logger.info("card declined", order=order)
        return "declined"
    return "paid"


class _Payments(BaseHTTPRequestHandler):
    """Declines what is above 100, and is overloaded when it is first asked."""

    asked = 0

    def do_POST(self) -> None:
        _Payments.asked += 1
        cents = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["cents"]
        self.send_response(503 if _Payments.asked == 1 else 402 if cents > 100_00 else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass  # or a line for each request would stand between what is printed


def run_tasks() -> None:
    """Charge two orders at a service on this machine. A worker must be running. Prints:

    a small order: paid
    a large one: declined
    requests for two orders: 3
    """
    _Payments.asked = 0
    with HTTPServer(("127.0.0.1", 0), _Payments) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/charges"
        print("a small order:", charge.delay(url, "1", 20_00).get(timeout=60))
        print("a large one:", charge.delay(url, "2", 500_00).get(timeout=60))
        print("requests for two orders:", _Payments.asked)
        server.shutdown()
