"""What a caller is told when a task cannot be published, because a server is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu.exceptions import OperationalError

from . import embedded


@contextmanager
def explained(app: Any) -> Iterator[None]:
    """Name the server that is away, and what to do where it is the embedded one.

    Raises:
        OperationalError: the broker, or the server of the results, cannot be reached. Nothing was published, or nobody
            knows, where the server of the broker was silent.
    """
    try:
        yield
    except (OperationalError, OSError) as error:
        uri = app.connection_for_write().as_uri()
        raise _with_hint(app, f"the broker at {uri} did not take the task: {error}") from error
    except RuntimeError as error:  # of Celery's Redis backend, which subscribes to the result first
        if error.__cause__ is None:
            raise
        uri = app.backend.as_uri()
        raise _with_hint(app, f"the results at {uri} cannot be reached: {error.__cause__}") from error


def _with_hint(app: Any, message: str) -> OperationalError:
    error = OperationalError(message)
    if hint := embedded.hint(app.conf, "broker", "results"):
        error.add_note(hint)
    return error
