"""Say when a task runs again after a failure, and make the message of that run.

These are no methods of a task: an attribute of a user's task may have any name. Runs in: task process; the worker's
main process after a crash.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import takewhile
from typing import Any

import celery

from celery_runtime.errors.verdict import Verdict
from celery_runtime.retry.history import AttemptHistory
from celery_runtime.retry.policy import Action, Wait


def rules_of(task: celery.Task) -> Mapping[str, Action] | None:
    """Return the rules that the class of the task states; an attribute of another kind is the user's own."""
    stated = getattr(type(task), "policy", None)
    return stated if isinstance(stated, Mapping) else None


def attempt_of(request: Any) -> int:
    """Return the number of a run, from 1."""
    return 1 + int(request.retries) + AttemptHistory.read(request.headers).count()


def delay_of_next_run(
    task: celery.Task, request: Any, verdict: Verdict, history: AttemptHistory, now: float
) -> float | None:
    """Return the seconds until the task runs again, None if it is given up. The history counts this failure."""
    policy, own = task.app.policy, rules_of(task)
    rule = policy.rule(verdict.kind, own)
    failures = history.of(lambda kind: policy.rule(kind, own) == rule)
    delay = policy.delay(rule.action, verdict, failures, now)
    if delay is None or _limit_is_reached(task, request, history) or _expires_before(request, now + delay):
        return None
    return round(delay, 3)


def next_run(task: celery.Task, request: Any, delay: float, history: AttemptHistory) -> Any:
    """Return the signature of the next run of a request."""
    headers = {**(request.headers or {}), **history.headers()}
    return task.signature_from_request(request, countdown=delay, retries=request.retries, headers=headers)


def _limit_is_reached(task: celery.Task, request: Any, history: AttemptHistory) -> bool:
    """Whether `max_retries` is spent, if the task or a base of its own states it; None is no limit."""
    stated = takewhile(lambda cls: cls is not celery.Task, type(task).__mro__)
    if task.max_retries is None or not any("max_retries" in vars(cls) for cls in stated):
        return False
    rule, own = task.app.policy.rule, rules_of(task)
    spent = history.count(lambda kind: not isinstance(rule(kind, own).action, Wait))
    return spent + int(request.retries) > task.max_retries


def _expires_before(request: Any, moment: float) -> bool:
    """Whether the message expires by then: its error would be lost with it."""
    try:
        return datetime.fromisoformat(request.expires).timestamp() <= moment
    except (TypeError, ValueError):  # it does not expire
        return False
