"""Transactions that get into each other's way over the rows of the table `stock`."""

from concurrent.futures import ThreadPoolExecutor

from tests.faults.address import Address
from tests.faults.sql_clients import Client

TAKE = "UPDATE stock SET amount = amount - 1 WHERE id = {}"


def deadlock(client: Client, address: Address) -> None:
    """Two transactions take two rows in opposite order; it raises in the one that the server chose."""
    with (
        client.connect(address) as first,
        client.connect(address) as second,
        ThreadPoolExecutor(1) as thread,
    ):
        first(TAKE.format(1))
        second(TAKE.format(2))
        blocked = thread.submit(first, TAKE.format(2))
        second(TAKE.format(1))
        blocked.result()


def locked_row(client: Client, address: Address, *statements: str) -> None:
    """Execute the statements while another transaction holds the row with id 1."""
    with client.connect(address) as holder:
        holder(TAKE.format(1))
        client.execute(address, *statements)
