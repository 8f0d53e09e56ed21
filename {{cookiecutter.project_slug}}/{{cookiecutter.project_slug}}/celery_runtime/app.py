"""Celery with this project's machinery: priorities, discovery, selection, the embedded broker."""

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import celery
import click
from celery import signals

from . import broker, embedded, memory, rabbitmq_transport, redis_transport, task_modules, unreachable
from .environment import ConfigurationError
from .errors import classify

if TYPE_CHECKING:
    from .dead_letters import DeadLetters
    from .dead_letters.recorder import Recorder
    from .policy import Policy

# A result that cannot be stored is tried again so often, with random pauses up to so many milliseconds: a minute.
RESULT_RETRIES = 120
RESULT_PAUSE = 1000
RUNTIME = __name__.rpartition(".")[0]


class Celery(celery.Celery):
    """An app that names a folder of task modules and imports none of them.

    A worker and beat import them when they start, after `django.setup()` where there is Django; a
    web process or a script that only publishes never does.

    Args:
        main: the package of the project, such as "shop".
        tasks: the name of its sub-package that holds the task modules.
        policy: the name of its module that says what is tried again and what is given up.
    """

    amqp_cls = f"{RUNTIME}.priorities:AMQP"
    task_cls = f"{RUNTIME}.task:Task"

    def __init__(
        self,
        main: str,
        *,
        tasks: str = "celery_tasks",
        policy: str = "error_policy",
        **options: Any,
    ) -> None:
        super().__init__(main, **options)
        self._policy_module = f"{main}.{policy}"
        redis_transport.install()
        rabbitmq_transport.install()
        self.duplicate_task_names: list[tuple[str, str, str]] = []
        self.replaced_bases: list[tuple[traceback.FrameSummary, Any]] = []
        self.task_modules = task_modules.TaskModules(self, f"{main}.{tasks}")
        self.add_defaults(lambda: {"worker_consumer": f"{RUNTIME}.consumer:Consumer"})
        self.user_options["worker"].add(_tasks_option())
        signals.import_modules.connect(self._load_task_modules, sender=self)
        signals.after_setup_logger.connect(_set_up_logs)
        signals.after_setup_task_logger.connect(_set_up_logs)
        signals.celeryd_init.connect(self._prepare_start)
        signals.beat_init.connect(self._prepare_start)
        signals.worker_process_init.connect(self._prepare_process)
        signals.task_revoked.connect(_count_revoked)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "Task":  # the base of all tasks: who replaces it is warned of
            self.replaced_bases.append((traceback.extract_stack(limit=2)[0], value))
        super().__setattr__(name, value)

    @cached_property
    def Worker(self) -> Any:
        named: Any = f"{RUNTIME}.worker:Worker"
        return self.subclass_with_self(named)

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """What has failed for good, to be seen and to be run again."""
        from .dead_letters import DeadLetters

        return DeadLetters(self)

    @cached_property
    def recorder(self) -> "Recorder":
        from .dead_letters.recorder import Recorder

        return Recorder(self.dead_letters)

    @cached_property
    def policy(self) -> "Policy":
        """The project's table, imported when it is first needed: what only publishes never needs it.

        Raises:
            ConfigurationError: there is no such kind, or a number in the table cannot be.
        """
        from .policy import Policy, problems

        try:
            table = importlib.import_module(self._policy_module)
        except (TypeError, ValueError) as error:
            # A wrong argument of Retry, or the name of a class without its package.
            raise ConfigurationError(str(error), "Correct it in error_policy.py.") from error
        for problem in problems(table.POLICY, table.MAX_AGE):
            raise ConfigurationError(problem, "Correct it in error_policy.py.")
        return Policy(table.POLICY, table.MAX_AGE)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        connection: Any = super().connection_for_write(url, **options)
        patience = broker.patience(connection.transport.driver_type)
        connection.transport_options = {**connection.transport_options, **patience}
        return connection

    def send_task(self, *args: Any, **options: Any) -> Any:
        with unreachable.explained(self):
            return super().send_task(*args, **options)

    def _load_task_modules(self, **_options: Any) -> None:
        _ = self.policy  # a wrong setting keeps a worker from starting
        _ = self.dead_letters.redact
        self.recorder.connect()
        self.task_modules.load()

    def _prepare_start(self, **_: Any) -> None:
        if self.task_modules.problems:  # the fatal ones have ended the process before
            warnings = task_modules.describe(self.task_modules.problems)
            click.secho(warnings, fg="yellow", bold=True, err=True)
        memory.check(self.conf.get("task_memory_limit"))
        if embedded.uses(self.conf):
            embedded.PROJECT_BROKER.start()
            # In beat, what goes to sys.stderr is logged by now, as a warning.
            click.echo(embedded.description(self.conf), file=sys.__stderr__)

    def _prepare_process(self, **_: Any) -> None:
        memory.limit_process(self.conf.get("task_memory_limit"))
        # A task that is done waits until its result can be stored, instead of failing for it. A client does not wait.
        backend: Any = self.backend
        backend.always_retry = True
        backend.max_retries = RESULT_RETRIES
        backend.max_sleep_between_retries_ms = RESULT_PAUSE
        backend.exception_safe_to_retry = partial(_passes, backend.exception_safe_to_retry)

    def _warn_duplicate_task_name(self, name: str, existing: str, new: str, consequence: str) -> None:
        # A private hook of Celery 5.7, kept under watch by tests/test_engine_hooks.py. Its warning
        # names each collision once and lets the worker start with the wrong function.
        self.duplicate_task_names.append((name, existing, new))


def _passes(is_known: Callable[[Exception], bool], error: Exception) -> bool:
    """Whether a result can be stored after this error, in a while.

    What a backend knows of that is not all: Django's not a refused connection, that of Redis not a failover.
    """
    root, _, what = classify(error).kind.partition(".")
    return is_known(error) or (root in ("network", "database") and what not in ("auth", "query"))


def _count_revoked(sender: Any, request: Any, expired: bool, **_: Any) -> None:
    from .request import count_without_dead_letter  # only a worker has loaded it

    count_without_dead_letter("expired" if expired else "revoked", sender.name, request.id)


def _set_up_logs(logger: logging.Logger, colorize: bool | None, **_: Any) -> None:
    from . import logs  # structlog takes long to import, and what only publishes needs none of it

    logs.set_up(logger, colours=bool(colorize))


def _tasks_option() -> click.Option:
    def select(_ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value:
            os.environ[task_modules.SELECTION_VARIABLE] = value

    return click.Option(
        ["--tasks"],
        metavar="PATTERNS",
        callback=select,
        expose_value=False,
        help="Run only these task modules: file names without .py, with * and commas. "
        f"Sets {task_modules.SELECTION_VARIABLE}.",
    )
