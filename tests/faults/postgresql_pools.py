"""Faults of the pools in front of PostgreSQL: those of psycopg, psycopg2, SQLAlchemy and Django."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import psycopg2.pool
from psycopg_pool import ConnectionPool

from tests.faults.address import Address
from tests.faults.fault import Fault
from tests.faults.sql_clients import (
    django_address,
    django_connection,
    exhaust_pool,
    psycopg_arguments,
)

LIMITS = {"min_size": 1, "max_size": 1, "timeout": 0.3}


def pool_faults(own: Address, closed: int) -> Iterator[Fault]:
    """The faults of the pools in front of the server at `own`; nothing listens on the port `closed`."""
    psycopg, django = "psycopg_pool", "Django, psycopg_pool"
    yield Fault("pool exhausted", psycopg, "database.pool", partial(exhausted, own))
    yield Fault("pool with too many requests", psycopg, "database.pool", partial(too_many_requests, own))
    yield Fault("pool closed", psycopg, "database.pool", partial(closed_pool, own))
    yield Fault("pool exhausted", django, "database.pool", partial(exhausted_django, own))
    yield Fault("pool exhausted", "SQLAlchemy", "database.pool", partial(exhausted_sqlalchemy, own))
    yield Fault("pool exhausted", "psycopg2", "database.pool", partial(exhausted_psycopg2, own))
    for name, address in (
        ("pool with a wrong password", own._replace(password="wrong")),
        ("pool of a stopped server", own._replace(port=closed)),
        ("pool of an unknown host", own._replace(host="database.invalid")),
    ):
        yield Fault(name, psycopg, "database.pool", partial(unconnected, address))
        yield Fault(name, django, "database.pool", partial(unconnected_django, address))


@contextmanager
def psycopg_pool(address: Address, **options: int) -> Iterator[ConnectionPool]:
    pool = ConnectionPool(kwargs=psycopg_arguments(address), open=False, **LIMITS, **options)
    pool.open()
    try:
        yield pool
    finally:
        pool.close(timeout=2)


def exhausted(own: Address) -> None:
    with psycopg_pool(own) as pool, pool.connection(), pool.connection():
        pass


def too_many_requests(own: Address) -> None:
    """One has the connection, one waits for it, one is turned away."""
    with psycopg_pool(own, max_waiting=1) as pool, pool.connection(), ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(pool.getconn)
        while not pool.get_stats()["requests_waiting"]:
            time.sleep(0.01)
        try:
            pool.getconn()
        finally:
            waiting.exception()


def closed_pool(own: Address) -> None:
    with psycopg_pool(own) as pool:
        pass
    pool.getconn()


def unconnected(address: Address) -> None:
    with psycopg_pool(address) as pool, pool.connection():
        pass


def exhausted_django(own: Address) -> None:
    _django_pool(own, connections=2)


def unconnected_django(address: Address) -> None:
    _django_pool(address, connections=1)


def _django_pool(address: Address, connections: int) -> None:
    values = {**django_address(address), "OPTIONS": {"connect_timeout": 2, "pool": LIMITS}}
    first = django_connection("postgresql", address.database, **values)
    borrowers = [first, *(first.copy() for _ in range(connections - 1))]
    try:
        for borrower in borrowers:
            borrower.ensure_connection()
    finally:
        for borrower in borrowers:
            borrower.close()
        first.close_pool()


def exhausted_sqlalchemy(own: Address) -> None:
    exhaust_pool("postgresql+psycopg", own)


def exhausted_psycopg2(own: Address) -> None:
    pool = psycopg2.pool.ThreadedConnectionPool(1, 1, **psycopg_arguments(own))
    try:
        pool.getconn()
        pool.getconn()
    finally:
        pool.closeall()
