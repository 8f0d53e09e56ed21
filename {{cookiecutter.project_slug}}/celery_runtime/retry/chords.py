"""End the chords that Celery would leave without an end.

Runs in: task process | worker main process. Where results are in a database, Celery looks for those of a header by a
task, `celery.chord_unlock`, which it would repeat each second for ever if one never came: its message was lost, or
nobody reads its queue. Source: celery/app/builtins.py and celery/backends/base.py, Celery 5.7.
"""

from collections.abc import Iterator
from typing import Any

from celery.canvas import group
from celery.exceptions import ChordError
from celery.result import GroupResult, result_from_tuple
from kombu.serialization import prepare_accept_content

UNLOCK = "celery.chord_unlock"
LOOKS, LONGEST = 60, 30  # after as many looks the pause is an interval longer, up to as many intervals
SHORTEST = 0.1  # seconds
NO_EXPIRY = 24 * 60 * 60  # seconds, where results are kept for ever
NAMED = 10  # of the tasks that are missing


def prepare_member(app: Any, name: str, options: dict[str, Any]) -> None:
    """Have a task of a header keep its result; raise a `ValueError` if workers would refuse its message.

    They could not read which chord waits for it.
    """
    options["ignore_result"] = False
    serializer, accepted = options.get("serializer") or app.conf.task_serializer, app.conf.accept_content
    if accepted and not prepare_accept_content([serializer]) <= prepare_accept_content(accepted):
        raise ValueError(f"{name} is in a chord and published as {serializer}, but accept_content is {accepted}")


def next_look(task: Any, interval: float, most: int | None) -> float:
    """Return the seconds until the next look; raise a `ChordError` that names what is missing if there is none.

    The last is after `result_chord_expires` seconds, or else `result_expires`, or after `most` looks, if that is less.
    """
    conf, looks = task.app.conf, task.request.retries
    *before, pause = (max(interval, SHORTEST) * min(1 + look // LOOKS, LONGEST) for look in range(looks + 1))
    bound = task.app.backend.prepare_expires(conf.result_chord_expires, type=int) or NO_EXPIRY
    if sum(before) < bound and (most is None or looks < most):
        return pause
    tasks = list(_tasks(result_from_tuple(one, app=task.app) for one in task.request.kwargs["result"]))
    missing = [one.id for one in tasks if not one.ready()]
    if not missing:
        return pause  # the last has ended just now
    named = ", ".join(missing[:NAMED]) + ("…" if missing[NAMED:] else "")
    raise ChordError(f"{len(missing)} of {len(tasks)} tasks of the header have not ended in {sum(before):g} s: {named}")


def fail_outer_chords(backend: Any) -> Any:
    """Return a result backend, made to tell an outer chord that a chord in its header has failed. Redis counts them."""
    fail = backend.chord_error_from_stack

    def chord_error_from_stack(callback: Any, exc: Any = None) -> Any:
        bodies = callback.tasks if isinstance(callback, group) else [callback]
        backend._fail_chain([body for body in bodies if "chord" in body.options], exc)
        return fail(callback, exc)

    backend.chord_error_from_stack = chord_error_from_stack
    return backend


def _tasks(results: Any) -> Iterator[Any]:
    for one in results:
        yield from _tasks(one.results) if isinstance(one, GroupResult) else (one,)
