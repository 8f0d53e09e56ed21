"""Enter what a test needs, or say why that is not to be had on this machine."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

from scripts.unavailable import Unavailable


def unavailable(reason: str) -> None:
    """Skip with the reason; where CI promises every server, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def lent(service: AbstractContextManager[Any]) -> Iterator[Any]:
    """Enter it; where it is not to be had on this machine, skip or fail with the reason."""
    with ExitStack() as stack:
        try:
            entered = stack.enter_context(service)
        except Unavailable as error:
            unavailable(str(error))
        yield entered
