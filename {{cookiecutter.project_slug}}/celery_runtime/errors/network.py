"""Rules for what goes wrong on the way to another machine."""

import errno
import socket
import ssl

from celery_runtime.errors.verdict import Rule, Verdict, attribute, by_name, text, whole_number
from celery_runtime.text import message_of

CODES = {
    errno.ETIMEDOUT: "network.timeout",
    **dict.fromkeys(
        (
            errno.ECONNREFUSED,
            errno.ECONNRESET,
            errno.ECONNABORTED,
            errno.EPIPE,
            errno.ENOTCONN,
            errno.EHOSTUNREACH,
            errno.EHOSTDOWN,
            errno.ENETUNREACH,
            errno.ENETDOWN,
            errno.ENETRESET,
        ),
        "network.unavailable",
    ),
}
RESOLVER_CODES = {
    value: name for name, value in vars(socket).items() if name.startswith("EAI_") and isinstance(value, int)
}


def bad_certificate(error: BaseException) -> Verdict | None:
    """Find a certificate that is not trusted: it decides wherever in a chain it stands, and no retry mends it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Verdict("network.tls", code=text(attribute(error, "verify_message")))
    return None


def closed(error: BaseException) -> Verdict | None:
    # Before the operating system's errors: RemoteDisconnected is a ConnectionResetError.
    if type(error) is OSError and "closed connection" in message_of(error):  # of the package amqp
        return Verdict("network.disconnected")
    return _closed_by_name(error)


_closed_by_name = by_name(
    {
        "http.BadStatusLine": "network.disconnected",
        "http.IncompleteRead": "network.disconnected",
        "http.RemoteDisconnected": "network.disconnected",
        "ssl.SSLEOFError": "network.disconnected",
        "ssl.SSLZeroReturnError": "network.disconnected",
    }
)


def tls(error: BaseException) -> Verdict | None:
    if isinstance(error, ssl.SSLError) and not isinstance(error, TimeoutError):
        return Verdict("network.tls", code=text(attribute(error, "reason")))
    return None


def operating_system(error: BaseException) -> Verdict | None:
    """Errors of sockets, told by their number: `except OSError` would take HTTP 401 and bad JSON too."""
    if not isinstance(error, OSError):
        return None
    number = whole_number(attribute(error, "errno"))
    if isinstance(error, socket.gaierror):
        return Verdict("network.dns", code=RESOLVER_CODES.get(number or 0))
    if isinstance(error, TimeoutError):
        return Verdict("network.timeout", code=errno.errorcode.get(number or 0))
    if number in CODES:
        return Verdict(CODES[number], code=errno.errorcode[number])
    return None


named = by_name(
    {
        "aiohttp.ClientConnectorDNSError": "network.dns",
        "aiohttp.ClientConnectorCertificateError": "network.tls",
        "aiohttp.ServerDisconnectedError": "network.disconnected",
        "aiohttp.ClientPayloadError": "network.disconnected",
        "botocore.ConnectTimeoutError": "network.timeout",
        "botocore.ReadTimeoutError": "network.timeout",
        "httpx.TimeoutException": "network.timeout",
        "httpx.RemoteProtocolError": "network.disconnected",
        "redis.TimeoutError": "network.timeout",
        "requests.Timeout": "network.timeout",
        "urllib3.NameResolutionError": "network.dns",
    }
)

# These say no more than that something went wrong on the way: what lies beneath them says it better.
unspecific = by_name(
    {
        "aiohttp.ClientConnectionError": "network.unavailable",
        "amqp.RecoverableChannelError": "network.unavailable",
        "amqp.RecoverableConnectionError": "network.unavailable",
        "botocore.ConnectionClosedError": "network.disconnected",
        "botocore.HTTPClientError": "network.unavailable",
        "builtins.ConnectionError": "network.unavailable",
        "httpx.NetworkError": "network.unavailable",
        "httpx.ProxyError": "network.unavailable",
        "kombu.OperationalError": "network.unavailable",
        "redis.ConnectionError": "network.unavailable",
        "requests.ChunkedEncodingError": "network.disconnected",
        "requests.ConnectionError": "network.unavailable",
        "requests.SSLError": "network.tls",
        "smtplib.SMTPServerDisconnected": "network.disconnected",
        "urllib3.MaxRetryError": "network.unavailable",
        "urllib3.NewConnectionError": "network.unavailable",  # a ConnectTimeoutError by its bases
        "urllib3.ProtocolError": "network.disconnected",
        "urllib3.TimeoutError": "network.timeout",
    }
)

RULES: list[Rule] = [closed, tls, operating_system, named]
