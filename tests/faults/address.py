"""Where a database is."""

from typing import NamedTuple


class Address(NamedTuple):
    """Where a database is, and who asks for it."""

    host: str
    port: int
    user: str
    password: str
    database: str
