"""The same SQL through each library, so that a fault is written once for all of them."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, NamedTuple

import django
import psycopg
import psycopg2
import pymysql
import sqlalchemy
from django.conf import ENVIRONMENT_VARIABLE, settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from tests.faults.address import Address

Execute = Callable[[str], object]


class Client(NamedTuple):
    """A library. `connect` lends a function that executes one statement within a transaction."""

    library: str
    connect: Callable[[Address], AbstractContextManager[Execute]]

    def execute(self, address: Address, *statements: str) -> None:
        """Execute the statements within one transaction, which is rolled back."""
        with self.connect(address) as execute:
            for statement in statements:
                execute(statement)


def executor(connection: Any) -> Execute:
    """Executes with cursors of the DB-API and returns the first column of the first row."""

    def execute(statement: str) -> object:
        with closing(connection.cursor()) as cursor:
            cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else None
            return row and row[0]

    return execute


def exhaust_pool(driver: str, address: Address) -> None:
    """Ask an engine of SQLAlchemy for a second connection where its pool holds one."""
    url = sqlalchemy_url(driver, address)
    engine = sqlalchemy.create_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.2)
    try:
        with engine.connect(), engine.connect():
            pass
    finally:
        engine.dispose()


@contextmanager
def psycopg_3(address: Address) -> Iterator[Execute]:
    with closing(psycopg.connect(**psycopg_arguments(address))) as connection:
        yield executor(connection)


@contextmanager
def psycopg_2(address: Address) -> Iterator[Execute]:
    with closing(psycopg2.connect(**psycopg_arguments(address))) as connection:
        yield executor(connection)


def psycopg_arguments(address: Address) -> dict[str, Any]:
    """What psycopg 3 and psycopg2 connect with."""
    arguments = address._asdict()
    return {"dbname": arguments.pop("database"), **arguments, "connect_timeout": 2}


@contextmanager
def pymysql_(address: Address) -> Iterator[Execute]:
    with closing(pymysql.connect(**address._asdict(), connect_timeout=2)) as connection:
        yield executor(connection)


def sqlalchemy_url(driver: str, address: Address) -> sqlalchemy.URL:
    """The URL of `address`, for `driver` such as postgresql+psycopg."""
    arguments = address._asdict()
    user = arguments.pop("user")
    return sqlalchemy.URL.create(driver, username=user, **arguments)


def sqlalchemy_with(driver: str) -> Callable[[Address], AbstractContextManager[Execute]]:
    """Through an engine of SQLAlchemy, for `driver` such as postgresql+psycopg."""

    @contextmanager
    def connect(address: Address) -> Iterator[Execute]:
        engine = sqlalchemy.create_engine(sqlalchemy_url(driver, address))
        try:
            with engine.connect() as connection:

                def execute(statement: str) -> object:
                    result = connection.exec_driver_sql(statement)
                    return result.scalar() if result.returns_rows else None

                yield execute
        finally:
            engine.dispose()

    return connect


def django_connection(engine: str, name: str, **values: Any) -> BaseDatabaseWrapper:
    """A connection of Django, usable by all threads, that no settings module names."""
    if not settings.configured and ENVIRONMENT_VARIABLE not in os.environ:
        settings.configure()
        django.setup()
    alias = f"fault_{uuid.uuid4().hex}"
    database = {"ENGINE": f"django.db.backends.{engine}", "NAME": name, **values}
    connection = ConnectionHandler({"default": {}, alias: database})[alias]
    connection.inc_thread_sharing()
    return connection


def django_with(engine: str) -> Callable[[Address], AbstractContextManager[Execute]]:
    """Through a connection of Django, for `engine` such as postgresql."""

    @contextmanager
    def connect(address: Address) -> Iterator[Execute]:
        connection = django_connection(engine, address.database, **django_address(address))
        try:
            connection.set_autocommit(False)
            yield executor(connection)
        finally:
            connection.close()

    return connect


def django_address(address: Address) -> dict[str, Any]:
    """What Django connects with, the name of the database aside."""
    values = {"HOST": address.host, "PORT": address.port, "USER": address.user, "PASSWORD": address.password}
    return {**values, "OPTIONS": {"connect_timeout": 2}}
