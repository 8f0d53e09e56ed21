"""Rules for what goes wrong on the way to another machine."""

import errno
import socket
import ssl

from celery_runtime.errors.verdict import Rule, Verdict, attribute, by_kind, text, whole_number
from celery_runtime.text import message_of

UNAVAILABLE = {
    *("ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ENOTCONN"),
    *("EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN", "ENETRESET"),
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
    if type(error) is OSError and "closed connection" in message_of(error):  # of the package amqp
        return Verdict("network.disconnected")
    return None


def tls(error: BaseException) -> Verdict | None:
    if isinstance(error, ssl.SSLError) and not isinstance(error, TimeoutError):
        return Verdict("network.tls", code=text(attribute(error, "reason")))
    return None


def operating_system(error: BaseException) -> Verdict | None:
    """Errors of sockets, told by their number: `except OSError` would take HTTP 401 and bad JSON too."""
    if not isinstance(error, OSError):
        return None
    number = whole_number(attribute(error, "errno")) or 0
    if isinstance(error, socket.gaierror):
        return Verdict("network.dns", code=RESOLVER_CODES.get(number))
    code = errno.errorcode.get(number)
    if isinstance(error, TimeoutError) or code == "ETIMEDOUT":
        return Verdict("network.timeout", code=code)
    return Verdict("network.unavailable", code=code) if code in UNAVAILABLE else None


# Before the operating system's errors: RemoteDisconnected is a ConnectionResetError.
named = by_kind(
    {
        "network.dns": "aiohttp.ClientConnectorDNSError urllib3.NameResolutionError",
        "network.disconnected": "aiohttp.ClientPayloadError aiohttp.ServerDisconnectedError http.BadStatusLine "
        "http.IncompleteRead http.RemoteDisconnected httpx.RemoteProtocolError ssl.SSLEOFError ssl.SSLZeroReturnError",
        "network.timeout": "botocore.ConnectTimeoutError botocore.ReadTimeoutError httpx.TimeoutException "
        "redis.TimeoutError requests.Timeout",
        "network.tls": "aiohttp.ClientConnectorCertificateError",
    }
)

# These say no more than that something went wrong on the way: what lies beneath them says it better.
unspecific = by_kind(
    {
        "network.disconnected": "botocore.ConnectionClosedError requests.ChunkedEncodingError "
        "smtplib.SMTPServerDisconnected urllib3.ProtocolError",
        "network.timeout": "urllib3.TimeoutError",
        "network.tls": "requests.SSLError",
        # A NewConnectionError is a TimeoutError by its bases.
        "network.unavailable": "aiohttp.ClientConnectionError amqp.RecoverableChannelError "
        "amqp.RecoverableConnectionError botocore.HTTPClientError builtins.ConnectionError httpx.NetworkError "
        "httpx.ProxyError kombu.OperationalError redis.ConnectionError requests.ConnectionError urllib3.MaxRetryError "
        "urllib3.NewConnectionError",
    }
)

RULES: list[Rule] = [closed, named, tls, operating_system]
