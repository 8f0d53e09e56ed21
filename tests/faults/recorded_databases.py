"""What databases say that cannot be caused here, or not soon: servers of another language, version or state.

The texts are those of the translations and messages that PostgreSQL, MariaDB and MySQL ship.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import django.db.utils
import psycopg
import psycopg2
import pymysql
import sqlalchemy.exc

from tests.faults.fault import Fault

GERMAN = [
    ("wrong password", "FATAL:  Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen"),
    ("unknown database", "FATAL:  Datenbank »shop« existiert nicht"),
    ("too many clients", "FATAL:  tut mir leid, schon zu viele Verbindungen"),
    ("starting up", "FATAL:  das Datenbanksystem startet"),
]
GERMAN_PREFIX = "Verbindung zum Server auf »127.0.0.1«, Port 5432 fehlgeschlagen: "
PSYCOPG_3_PREFIX = "connection failed: "

MYSQL = [
    ("too many connections", "database.unavailable", 1040, "Too many connections"),
    (
        "too many connections of the user",
        "database.unavailable",
        1203,
        "User app already has more than 'max_user_connections' active connections",
    ),
    (
        "too many connections of this user",
        "database.unavailable",
        1226,
        "User 'app' has exceeded the 'max_user_connections' resource (current value: 1)",
    ),
    (
        "too many broken connections of this host",
        "database.unavailable",
        1129,
        "Host '127.0.0.1' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'",
    ),
    ("read error", "database.unavailable", 1158, "Got an error reading communication packets"),
    ("read time-out", "database.unavailable", 1159, "Got timeout reading communication packets"),
    ("write error", "database.unavailable", 1160, "Got an error writing communication packets"),
    ("write time-out", "database.unavailable", 1161, "Got timeout writing communication packets"),
    (
        "disconnected when idle",
        "database.unavailable",
        4031,
        "The client was disconnected by the server because of inactivity.",
    ),
    (
        "read-only server",
        "database.unavailable",
        1290,
        "The MariaDB server is running with the --read-only option so it cannot execute this statement",
    ),
    (
        "lock not available",
        "database.conflict",
        3572,
        "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set.",
    ),
    (
        "statement time-out",
        "database.timeout",
        3024,
        "Query execution was interrupted, maximum statement execution time exceeded",
    ),
]


@contextmanager
def faults() -> Iterator[list[Fault]]:
    yield [*_postgresql_faults(), _psycopg2_timeout(), *_mysql_faults()]


def _postgresql_faults() -> Iterator[Fault]:
    for name, message in GERMAN:
        psycopg_3 = partial(psycopg.OperationalError, f"{PSYCOPG_3_PREFIX}{GERMAN_PREFIX}{message}")
        psycopg_2 = partial(psycopg2.OperationalError, f"{GERMAN_PREFIX}{message}\n")
        for library, cause in (
            ("psycopg 3", partial(raise_, psycopg_3)),
            ("psycopg2", partial(raise_, psycopg_2)),
            ("SQLAlchemy, psycopg 3", partial(raise_by_sqlalchemy, psycopg_3)),
            ("Django, psycopg 3", partial(raise_by_django, psycopg_3)),
        ):
            yield Fault(f"{name}, in German", library, "database.unclear", cause)


def _psycopg2_timeout() -> Fault:
    message = 'connection to server at "127.0.0.1", port 5432 failed: timeout expired\n'
    cause = partial(raise_, partial(psycopg2.OperationalError, message))
    return Fault("connect time-out", "psycopg2", "database.unavailable", cause)


def _mysql_faults() -> Iterator[Fault]:
    for name, expected, number, message in MYSQL:
        make = partial(pymysql.err.OperationalError, number, message)
        yield Fault(name, "PyMySQL", expected, partial(raise_, make))
        yield Fault(name, "SQLAlchemy, PyMySQL", expected, partial(raise_by_sqlalchemy, make))
        yield Fault(name, "Django, PyMySQL", expected, partial(raise_by_django, make))


def raise_(make: Callable[[], Exception]) -> None:
    raise make()


def raise_by_sqlalchemy(make: Callable[[], Exception]) -> None:
    original = make()
    raise sqlalchemy.exc.OperationalError("SELECT 1", None, original) from original


def raise_by_django(make: Callable[[], Exception]) -> None:
    original = make()
    raise django.db.utils.OperationalError(*original.args) from original
