"""Waits for a broker that is away: says so once, and comes back soon after it does."""

import time
from collections.abc import Callable
from typing import Any

from celery.utils.log import get_logger

from celery_runtime.brokers.redis import refuses_for_now
from celery_runtime.worker.liveness import Liveness

logger = get_logger(__name__)

PAUSE = 1.0  # seconds
LONGEST_PAUSE = 5.0  # seconds between two attempts


def wait_patiently(connection: Any, liveness: Liveness) -> None:
    """Change how this connection of a worker is established.

    Celery logs every attempt as an error, and waits up to 30 seconds for the next.
    """
    ensure = connection.ensure_connection

    def ensure_connection(_errback: Any, max_retries: int | None, callback: Callable[[], None]) -> Any:
        since = time.monotonic()
        is_told = False

        def tell(error: BaseException, _interval: float) -> None:
            nonlocal is_told
            if not is_told:
                is_told = True
                liveness.tell("waiting for its broker")
                logger.error("the worker waits for its broker at %s: %s", connection.as_uri(), error)

        def go_on() -> None:
            liveness.touch()
            callback()  # a worker that is to stop does

        while True:
            found = ensure(tell, max_retries, 1, 1, LONGEST_PAUSE, callback=go_on)
            refusal = _refusal(connection)
            if refusal is None:
                break
            tell(refusal, PAUSE)
            connection.close()
            time.sleep(PAUSE)
            go_on()
        if is_told:
            logger.warning("the broker is back after %.0f s", time.monotonic() - since)
        return found

    connection.ensure_connection = ensure_connection


def _refusal(connection: Any) -> Exception | None:
    """Return why a broker that answers could not be worked with."""
    try:
        if check := getattr(connection.default_channel, "check_writes", None):
            check()
    except (*connection.connection_errors, *connection.channel_errors) as error:
        return error if isinstance(error, connection.connection_errors) or refuses_for_now(error) else None
    return None
