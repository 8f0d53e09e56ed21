"""`classify` never raises, whatever an exception looks like. Run in a baked project by tests/test_faults.py."""

import errno
import json
import smtplib
import socket
import sqlite3
import ssl
import urllib.error
from contextlib import suppress
from email.message import Message

from hypothesis import given, settings
from hypothesis import strategies as st

from celery_runtime import PermanentError, TransientError
from celery_runtime.errors.classify import classify
from celery_runtime.errors.raised import service_of
from celery_runtime.errors.verdict import Verdict
from celery_runtime.kinds import ROOTS

NAMES = ["status", "status_code", "code", "response", "headers", "errno", "args", "sqlstate", "pgcode"]
NAMES += ["sqlite_errorcode", "smtp_code", "recipients", "reply_code", "connection_invalidated", "_service"]
NAMES += ["kind", "retry_after", "verify_message", "sqlite_errorname", "reason", "exceptions", "__cause__x"]
# Classes of libraries that rules know by name, made anew with whatever attributes.
KNOWN = [
    ("requests.exceptions", "HTTPError"),
    ("aiohttp.client_exceptions", "ClientResponseError"),
    ("botocore.exceptions", "ClientError"),
    ("urllib3.exceptions", "ResponseError"),
    ("psycopg", "Error"),
    ("pymysql.err", "Error"),
    ("sqlite3", "Error"),
    ("redis.exceptions", "RedisError"),
    ("redis.exceptions", "ConnectionError"),
    ("smtplib", "SMTPResponseException"),
    ("smtplib", "SMTPRecipientsRefused"),
    ("amqp.exceptions", "AccessRefused"),
    ("django.db.utils", "OperationalError"),
]

plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.binary(max_size=20))
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from(["Error", "Code", "ResponseMetadata", "HTTPStatusCode", "a"]), inner),
    ),
    max_leaves=6,
)


def raiser(*_):
    raise RuntimeError("an attribute that cannot be read")


@st.composite
def known_or_new(draw):
    module, name = draw(st.sampled_from([*KNOWN, ("shop.somewhere", "Odd")]))
    body = {"__module__": module}
    for attribute in draw(st.sets(st.sampled_from(NAMES), max_size=4)):
        body[attribute] = property(raiser) if draw(st.booleans()) else draw(values)
    if draw(st.booleans()):
        body["__str__"] = raiser
    error = type(name, (Exception,), body)()
    for attribute in draw(st.sets(st.sampled_from(NAMES), max_size=4)):
        with suppress(Exception):
            setattr(error, attribute, draw(values))
    return error


standard = st.one_of(
    st.builds(OSError, st.sampled_from([*errno.errorcode, -1, 10**9]), st.text(max_size=5)),
    st.builds(socket.gaierror, st.integers(-20, 20), st.text(max_size=5)),
    st.builds(
        urllib.error.HTTPError,
        st.just("http://x"),
        values,
        st.text(max_size=5),
        st.just(Message()),
        st.none(),
    ),
    st.builds(smtplib.SMTPRecipientsRefused, values),
    st.builds(smtplib.SMTPResponseException, values, values),
    st.builds(json.JSONDecodeError, st.text(max_size=5), st.just(""), st.just(0)),
    st.builds(sqlite3.OperationalError, st.text(max_size=5)),
    st.builds(ssl.SSLError, st.text(max_size=5)),
    st.builds(ssl.SSLCertVerificationError, st.text(max_size=5)),
    st.builds(TransientError, st.text(max_size=5), retry_after=st.one_of(st.none(), st.floats(0, 1e9))),
    st.builds(PermanentError, st.text(max_size=5)),
    st.builds(UnicodeDecodeError, st.just("utf-8"), st.just(b"\xff"), st.just(0), st.just(1), st.just("x")),
    st.sampled_from([KeyError(), MemoryError(), RecursionError(), SystemExit(1), KeyboardInterrupt()]),
)


@st.composite
def chains(draw):
    links = draw(st.lists(st.one_of(standard, known_or_new()), min_size=1, max_size=6))
    for link in links:
        for attribute in draw(st.sets(st.sampled_from(NAMES), max_size=2)):
            with suppress(Exception):
                setattr(link, attribute, draw(values))
        link.__cause__ = draw(st.sampled_from([None, *links]))
        link.__context__ = draw(st.sampled_from([None, *links]))
        link.__suppress_context__ = draw(st.booleans())
    if draw(st.booleans()):
        return BaseExceptionGroup("group", links)
    return links[0]


@settings(max_examples=2000, deadline=None)
@given(chains())
def test_classify_never_raises_and_gives_a_kind(error):
    verdict = classify(error)
    assert isinstance(verdict, Verdict)
    assert verdict.kind.partition(".")[0] in ROOTS
    assert verdict.code is None or isinstance(verdict.code, str)
    assert verdict.origin
    service = service_of(error)
    assert service is None or isinstance(service, str)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.from_regex(r"[0-9]{1,400}", fullmatch=True), st.floats(), st.none(), st.binary()))
def test_any_retry_after_is_seconds_or_nothing(header):
    headers = Message()
    if isinstance(header, str):
        headers._headers.append(("Retry-After", header))
    verdict = classify(urllib.error.HTTPError("http://x", 503, "busy", headers, None))
    assert verdict.retry_after is None or verdict.retry_after >= 0
