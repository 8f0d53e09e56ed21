"""Faults of HTTP, by urllib.request, requests, httpx and aiohttp."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from socket import AF_INET, IPPROTO_TCP, SOCK_STREAM
from typing import NamedTuple
from unittest.mock import patch

from tests.faults import http_clients
from tests.faults.fault import Fault
from tests.faults.http_server import closing_tls_port, http_server, https_server
from tests.faults.loopback import HOST, closed_port, full_port, silent_port

LIBRARIES: dict[str, Callable[[str, float], object]] = {
    "urllib": http_clients.by_urllib,
    "requests": http_clients.by_requests,
    "httpx": http_clients.by_httpx,
    "httpx, asynchronous": http_clients.by_httpx_async,
    "aiohttp": http_clients.by_aiohttp,
}


class Case(NamedTuple):
    """A URL and the fault that fetching it causes."""

    name: str
    expected: str
    url: str
    retry_after: float | None = None


CASES = [
    Case("reset", "network.unavailable", "/reset"),
    Case("closed without reply", "network.disconnected", "/closed"),
    Case("truncated body", "network.disconnected", "/truncated"),
    Case("HTTP 400", "external.rejected", "/status/400"),
    Case("HTTP 401", "external.auth", "/status/401"),
    Case("HTTP 403", "external.auth", "/status/403"),
    Case("HTTP 404", "external.rejected", "/status/404"),
    Case("HTTP 408", "external.unavailable", "/status/408"),
    Case("HTTP 429", "external.busy", "/status/429"),
    Case("HTTP 429, Retry-After in seconds", "external.busy", "/status/429/seconds/7", 7),
    Case("HTTP 429, Retry-After as a date", "external.busy", "/status/429/date/30", 30),
    Case("HTTP 500", "external.unavailable", "/status/500"),
    Case("HTTP 503", "external.unavailable", "/status/503"),
    Case("HTTP 503, Retry-After in seconds", "external.busy", "/status/503/seconds/5", 5),
    Case("bad JSON", "external.invalid", "/json"),
]

RETRIED = ["reset", "closed without reply", "HTTP 429", "HTTP 503", "DNS", "refused", "read time-out"]

# What cannot be told apart: asynchronous httpx leaves the host name to the resolver, and asyncio makes a
# connection reset of the end of a TLS handshake.
EXPECTED_OTHERWISE = {
    ("malformed host name", "httpx, asynchronous"): "network.dns",
    ("closed in the TLS handshake", "aiohttp"): "network.unavailable",
}


@contextmanager
def faults() -> Iterator[list[Fault]]:
    with ExitStack() as stack:
        http, https = stack.enter_context(http_server()), stack.enter_context(https_server())
        ports = (closed_port, full_port, silent_port, closing_tls_port)
        closed, full, silent, closing = [stack.enter_context(port()) for port in ports]
        cases = [case._replace(url=http + case.url) for case in CASES]
        cases += [
            Case("DNS", "network.dns", "http://faults.invalid/"),
            Case("malformed host name", "unexpected", f"http://{'a' * 70}.invalid/"),
            Case("refused", "network.unavailable", f"http://{HOST}:{closed}/"),
            Case("connect time-out", "network.timeout", f"http://{HOST}:{full}/"),
            Case("read time-out", "network.timeout", f"http://{HOST}:{silent}/"),
            Case("silent TLS", "network.timeout", f"https://{HOST}:{silent}/"),
            Case("closed in the TLS handshake", "network.disconnected", f"https://{HOST}:{closing}/"),
            Case("bad certificate", "network.tls", f"{https}/json"),
        ]
        caused = [fault(case, library, get) for case in cases for library, get in LIBRARIES.items()]
        retried = [case for case in cases if case.name in RETRIED]
        with_retry = http_clients.by_requests_with_retry
        caused += [fault(case, "requests with urllib3's Retry", with_retry) for case in retried]
        in_total = Case("time-out in total", "network.timeout", f"http://{HOST}:{silent}/")
        caused.append(fault(in_total, "aiohttp", http_clients.by_aiohttp_in_total))
        page = Case("page instead of JSON", "external.invalid", f"{http}/page")
        caused += [fault(page, library, get) for library, get in LIBRARIES.items()]
        everywhere = Case("refused by every address", "network.unavailable", f"http://many.invalid:{closed}/")
        caused += [fault(everywhere, library, with_addresses(get)) for library, get in LIBRARIES.items()]
        yield caused


def fault(case: Case, library: str, get: Callable[[str, float], object]) -> Fault:
    timeout = 0.25 if case.expected == "network.timeout" else 10
    expected = EXPECTED_OTHERWISE.get((case.name, library), case.expected)
    return Fault(case.name, library, expected, partial(get, case.url, timeout), case.retry_after)


def with_addresses(get: Callable[[str, float], object]) -> Callable[[str, float], object]:
    """`get` where every host name has two addresses, as most have."""

    def resolve(host: object, port: int, *_args: object, **_options: object) -> list[tuple]:
        addresses = ("127.0.0.1", "127.0.0.2")
        return [(AF_INET, SOCK_STREAM, IPPROTO_TCP, "", (address, port)) for address in addresses]

    def get_from_addresses(url: str, timeout: float) -> object:
        with patch("socket.getaddrinfo", resolve):
            return get(url, timeout)

    return get_from_addresses
