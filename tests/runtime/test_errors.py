"""Real errors, told apart. To see what an error of your own is, add it here."""

import errno
import importlib
import json
import smtplib
import socket
import sqlite3
import ssl
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from celery_runtime import RULES, TransientError, Verdict, by_name, classify
from celery_runtime.testing.http import AnsweringServer


def verdict_on(cause):
    try:
        cause()
    except Exception as error:  # noqa: BLE001 - any at all
        return classify(error)
    raise AssertionError("no error")


def kind_of(cause):
    return verdict_on(cause).kind


def raise_from(error, cause):
    raise error from cause


def get(url, timeout=30):
    with urllib.request.urlopen(url, timeout=timeout) as response:
        return json.load(response)


@pytest.fixture
def listener():
    """A socket that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_host_that_no_one_knows():
    assert kind_of(lambda: get("http://nobody.invalid/")) == "network.dns"


def test_a_refused_connection():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    verdict = verdict_on(lambda: get(f"http://127.0.0.1:{port}/"))
    assert (verdict.kind, verdict.code) == ("network.unavailable", "ECONNREFUSED")


def test_a_server_that_never_answers(listener):
    assert kind_of(lambda: get(f"http://{listener}/", timeout=0.2)) == "network.timeout"
    assert kind_of(lambda: get(f"https://{listener}/", timeout=0.2)) == "network.timeout"


@pytest.mark.parametrize("code", ["ECONNRESET", "EPIPE", "ECONNABORTED", "ENETRESET"])
def test_a_connection_that_breaks(code):
    verdict = verdict_on(lambda: raise_from(OSError(getattr(errno, code), "broken"), None))
    assert (verdict.kind, verdict.code) == ("network.unavailable", code)


def test_a_connection_that_is_closed_without_an_answer():
    with AnsweringServer(0) as server:
        assert kind_of(lambda: get(server.url)) == "network.disconnected"


@pytest.mark.parametrize(
    ("status", "kind"),
    {
        401: "external.auth",
        403: "external.auth",
        404: "external.rejected",
        408: "external.unavailable",
        429: "external.busy",
        500: "external.unavailable",
        503: "external.unavailable",
    }.items(),
)
def test_an_http_status(status, kind):
    with AnsweringServer(status) as server:
        verdict = verdict_on(lambda: get(server.url))
    assert (verdict.kind, verdict.code, verdict.retry_after) == (kind, str(status), None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    {
        "7": 7,
        " 7 ": 7,
        "Fri, 31 Dec 1999 23:59:59 GMT": 0,
        "soon": None,
        "-7": None,
        "": None,
        "²": None,
    }.items(),
)
def test_retry_after(header, seconds):
    with AnsweringServer((503, {"Retry-After": header.encode().decode("latin-1")})) as server:
        verdict = verdict_on(lambda: get(server.url))
    assert verdict.retry_after == seconds
    assert verdict.kind == ("external.unavailable" if seconds is None else "external.busy")


def test_a_body_that_is_no_json():
    assert kind_of(lambda: json.loads("<html>")) == "external.invalid"


def test_mail_that_is_refused_for_now_and_for_good():
    def refuse(*codes):
        recipients = {f"{code}@localhost": (code, b"no") for code in codes}
        raise smtplib.SMTPRecipientsRefused(recipients)

    assert kind_of(lambda: refuse(450)) == "external.unavailable"
    assert kind_of(lambda: refuse(550)) == "external.rejected"
    assert kind_of(lambda: refuse(550, 450)) == "external.unavailable"  # the second may be taken later
    assert kind_of(lambda: raise_from(smtplib.SMTPAuthenticationError(535, b"no"), None)) == "external.auth"


def test_a_locked_database_passes_and_a_wrong_statement_does_not(tmp_path):
    path = tmp_path / "db.sqlite3"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as lock,
        closing(sqlite3.connect(path, timeout=0)) as db,
    ):
        lock.execute("CREATE TABLE once (id UNIQUE)")
        lock.execute("BEGIN EXCLUSIVE")
        assert kind_of(lambda: db.execute("SELECT * FROM once")) == "database.conflict"
        lock.execute("COMMIT")
        assert kind_of(lambda: db.execute("SELECT * FROM nowhere")) == "database.query"
        db.execute("INSERT INTO once VALUES (1)")
        assert kind_of(lambda: db.execute("INSERT INTO once VALUES (1)")) == "database.query"


def test_a_mistake_in_a_task_is_unexpected():
    verdict = verdict_on(lambda: {}["missing"])
    assert verdict == Verdict("unexpected", origin="KeyError")
    assert kind_of(lambda: Path("/nowhere").read_text()) == "unexpected"  # not every OSError is the network's


def test_the_outermost_clear_error_decides():
    assert kind_of(lambda: raise_from(ValueError(), ConnectionResetError(104, "reset"))) == "network.unavailable"
    assert kind_of(lambda: raise_from(TransientError(), KeyError())) == "application.transient"


def test_a_certificate_that_is_not_trusted_decides_wherever_it_stands():
    assert kind_of(lambda: raise_from(TimeoutError(), ssl.SSLCertVerificationError())) == "network.tls"


def test_an_error_may_come_from_a_group():
    assert kind_of(lambda: raise_from(ExceptionGroup("two", [KeyError(), TimeoutError()]), None)) == "network.timeout"


def while_handling_a_reset(act):
    try:
        raise ConnectionResetError(104, "reset")
    except ConnectionResetError:
        act()


def endless():
    endless()


@pytest.mark.parametrize(
    ("name", "slip"),
    {
        "IndexError": lambda: [].pop(),
        "KeyError": lambda: {}["typo"],
        "NameError": lambda: typo,  # noqa: F821 - that is the slip
        "TypeError": lambda: len(None),
        "ZeroDivisionError": lambda: 1 / 0,
        "AssertionError": lambda: raise_from(AssertionError(), None),
        "ModuleNotFoundError": lambda: importlib.import_module("no_such_module"),
        "NotImplementedError": lambda: raise_from(NotImplementedError(), None),
        "RecursionError": endless,
    }.items(),
)
def test_a_slip_while_an_error_is_handled_is_unexpected(name, slip):
    verdict = verdict_on(lambda: while_handling_a_reset(slip))
    assert (verdict.kind, verdict.origin) == ("unexpected", name)


class Closed(AssertionError): ...


def test_a_slip_that_names_its_cause_or_that_a_rule_knows_is_none():
    cause = ConnectionResetError(104, "reset")
    assert kind_of(lambda: raise_from(Closed(), cause)) == "network.unavailable"
    RULES.insert(0, by_name({f"{__name__.partition('.')[0]}.Closed": "external.rejected"}))
    try:
        assert kind_of(lambda: while_handling_a_reset(lambda: raise_from(Closed(), None))) == "external.rejected"
    finally:
        del RULES[0]


@pytest.mark.parametrize("error", [ValueError(), UnicodeDecodeError("utf-8", b"", 0, 1, "cut"), RuntimeError()])
def test_any_other_error_is_judged_by_the_one_that_was_being_handled(error):
    assert kind_of(lambda: while_handling_a_reset(lambda: raise_from(error, None))) == "network.unavailable"


def test_a_cause_may_be_falsy():
    class Empty(Exception):
        def __bool__(self):
            raise RuntimeError

    cause = Empty()
    cause.__cause__ = TimeoutError()
    assert kind_of(lambda: raise_from(ValueError(), cause)) == "network.timeout"
