"""Celery with discovery of task files, priorities, an error policy, dead letters and crash safety.

The names of this module are public and stay; everything else may change with an upgrade. README.md has the map.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery_runtime.app import Celery
    from celery_runtime.brokers.priorities import Priority, priority_queue
    from celery_runtime.dead_letters import DeadLetter
    from celery_runtime.environment import ConfigurationError
    from celery_runtime.errors.classify import RULES, classify
    from celery_runtime.errors.raised import PermanentError, TransientError, handling
    from celery_runtime.errors.verdict import Verdict, by_name
    from celery_runtime.retry.policy import Fail, Retry, Wait
    from celery_runtime.retry.task import Task

__version__ = "0.1.0"
__all__ = ["RULES", "Celery", "ConfigurationError", "DeadLetter", "Fail", "PermanentError", "Priority", "Retry"]
__all__ += ["Task", "TransientError", "Verdict", "Wait", "by_name", "classify", "handling", "priority_queue"]
_HOMES = {
    "app": ("Celery",),
    "brokers.priorities": ("Priority", "priority_queue"),
    "dead_letters": ("DeadLetter",),
    "environment": ("ConfigurationError",),
    "errors.classify": ("RULES", "classify"),
    "errors.raised": ("PermanentError", "TransientError", "handling"),
    "errors.verdict": ("Verdict", "by_name"),
    "retry.policy": ("Fail", "Retry", "Wait"),
    "retry.task": ("Task",),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: a process that only publishes needs few of them."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
