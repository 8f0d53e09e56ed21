"""Faults of SMTP, by smtplib and by Django's mail backend."""

import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from functools import partial
from typing import NamedTuple

import django.core.mail
from django.core.mail.backends.smtp import EmailBackend

from tests.faults.fault import Fault
from tests.faults.loopback import HOST, closed_port, full_port, silent_port
from tests.faults.smtp_server import CLOSE, GREETING, MESSAGE, smtp_server

SENDER, RECIPIENT, PASSWORD = "sender@faults.invalid", "recipient@faults.invalid", "wrong"


class Answer(NamedTuple):
    """What the SMTP server answers to a verb."""

    name: str
    expected: str
    verb: str
    answer: str


ANSWERS = [
    Answer("421 on connect", "external.unavailable", GREETING, "421 4.3.2 too many connections"),
    Answer("554 on connect", "external.rejected", GREETING, "554 5.7.1 not from here"),
    Answer("535 at AUTH", "external.auth", "AUTH", "535 5.7.8 credentials invalid"),
    Answer("454 at AUTH", "external.unavailable", "AUTH", "454 4.7.0 temporary failure"),
    Answer("421 at MAIL", "external.unavailable", "MAIL", "421 4.3.2 shutting down"),
    Answer("451 at MAIL", "external.unavailable", "MAIL", "451 4.3.0 local error"),
    Answer("553 at MAIL", "external.rejected", "MAIL", "553 5.1.8 sender unknown"),
    Answer("450 at RCPT", "external.unavailable", "RCPT", "450 4.2.1 mailbox busy"),
    Answer("452 at RCPT", "external.unavailable", "RCPT", "452 4.2.2 mailbox full"),
    Answer("550 at RCPT", "external.rejected", "RCPT", "550 5.1.1 mailbox unknown"),
    Answer("554 at DATA", "external.rejected", "DATA", "554 5.5.1 no valid recipients"),
    Answer("452 after the message", "external.unavailable", MESSAGE, "452 4.3.1 storage full"),
    Answer("554 after the message", "external.rejected", MESSAGE, "554 5.7.1 spam"),
    Answer("closed on connect", "network.disconnected", GREETING, CLOSE),
    Answer("closed at MAIL", "network.disconnected", "MAIL", CLOSE),
    Answer("closed after the message", "network.disconnected", MESSAGE, CLOSE),
]


@contextmanager
def faults() -> Iterator[list[Fault]]:
    with ExitStack() as stack:
        closed, full, silent = [stack.enter_context(port()) for port in (closed_port, full_port, silent_port)]
        caused = []
        for library, send in {"smtplib": by_smtplib, "Django, smtplib": by_django}.items():
            for name, expected, verb, answer in ANSWERS:
                port = stack.enter_context(smtp_server({verb: answer}))
                caused.append(fault(name, library, expected, partial(send, HOST, port)))
            caused += [
                fault("DNS", library, "network.dns", partial(send, "faults.invalid", closed)),
                fault("refused", library, "network.unavailable", partial(send, HOST, closed)),
                fault("connect time-out", library, "network.timeout", partial(send, HOST, full)),
                fault("read time-out", library, "network.timeout", partial(send, HOST, silent)),
            ]
        yield caused


def fault(name: str, library: str, expected: str, send: Callable[[float], object]) -> Fault:
    timeout = 0.25 if expected == "network.timeout" else 10
    return Fault(name, library, expected, partial(send, timeout))


def by_smtplib(host: str, port: int, timeout: float) -> None:
    message = EmailMessage()
    message["From"], message["To"] = SENDER, RECIPIENT
    with smtplib.SMTP(host, port, local_hostname="localhost", timeout=timeout) as client:
        client.login(SENDER, PASSWORD)
        client.send_message(message)


def by_django(host: str, port: int, timeout: float) -> None:
    """Nothing is left to Django's settings, so they need not be configured and are not touched."""
    own = {"use_tls": False, "use_ssl": False, "ssl_keyfile": "", "ssl_certfile": ""}
    backend = EmailBackend(host, port, SENDER, PASSWORD, timeout=timeout, **own)
    headers = {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}
    message = django.core.mail.EmailMessage("subject", "body", SENDER, [RECIPIENT], headers=headers)
    message.encoding = "utf-8"
    try:
        backend.send_messages([message])
    finally:
        backend.close()
