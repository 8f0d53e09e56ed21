"""The Celery app: it wires the parts together, and imports no task file.

Runs in: every process that imports the project. Another Celery app in such a process stays as it is.
"""

import importlib
import os
import sys
from collections import ChainMap
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import celery
import click
from celery import signals
from kombu.utils.imports import symbol_by_name

from celery_runtime import defaults, environment
from celery_runtime.brokers import embedded
from celery_runtime.brokers.connection import patient
from celery_runtime.discovery import loading, pool
from celery_runtime.environment import ConfigurationError
from celery_runtime.retry import chords
from celery_runtime.worker import task_process

if TYPE_CHECKING:
    from celery_runtime.dead_letters import DeadLetters
    from celery_runtime.dead_letters.recorder import Recorder
    from celery_runtime.retry.policy import Policy


class Celery(celery.Celery):
    """An app that names a folder of task modules and imports none of them.

    A worker and beat import them when they start, after `django.setup()` where there is Django; a
    web process or a script that only publishes never does.

    Args:
        main: the package of the project, such as "shop".
        tasks: the name of its sub-package that holds the task modules.
        policy: the name of its module that says what is tried again and what is given up.
    """

    amqp_cls = "celery_runtime.brokers.publishing:AMQP"
    task_cls = "celery_runtime.retry.task:Task"
    log_cls = "celery_runtime.logs:Logging"  # structlog takes long to import, and what only publishes needs none of it
    first: ClassVar["Celery | None"] = None

    def __init__(self, main: str, *, tasks: str = "celery_tasks", policy: str = "error_policy", **options: Any) -> None:
        super().__init__(main, **options)
        self._policy_module = f"{main}.{policy}"
        Celery.first = Celery.first or self
        self.duplicate_task_names: list[tuple[str, str, str]] = []
        self.task_modules = loading.TaskModules(self, f"{main}.{tasks}")
        environment.read_dotenv(self.task_modules.root)
        self.user_options["worker"].update({_tasks_option(), pool.option()})
        signals.import_modules.connect(self._load_task_modules, sender=self)
        for fixup in filter(None, self._fixups):  # Celery would raise its error after all task files met none of Django
            signals.import_modules.disconnect(fixup.on_import_modules, sender=self)
        signals.celeryd_init.connect(self._prepare_start)
        signals.beat_init.connect(self._prepare_start)
        signals.worker_process_init.connect(self._prepare_process)
        signals.task_revoked.connect(self._count_revoked)

    @cached_property
    def Worker(self) -> Any:
        return self.subclass_with_self("celery_runtime.worker.worker:Worker")

    @cached_property
    def Beat(self) -> Any:
        return self.subclass_with_self("celery_runtime.worker.beat:Beat")

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """What has failed for good, to be seen and to be run again."""
        from celery_runtime.dead_letters import DeadLetters

        return DeadLetters(self)

    @cached_property
    def recorder(self) -> "Recorder":
        from celery_runtime.dead_letters.recorder import Recorder

        return Recorder(self.dead_letters)

    @cached_property
    def policy(self) -> "Policy":
        """The project's table, imported when it is first needed: what only publishes never needs it.

        If its module cannot be imported, or one of its rules cannot be, that is a `ConfigurationError`.
        """
        from celery_runtime.retry.policy import Policy

        with self.task_modules.errors_in_a_line("Correct it in error_policy.py."):
            table = importlib.import_module(self._policy_module)
            return Policy(table.POLICY, table.MAX_AGE)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        return patient(super().connection_for_write(url, **options))

    def _load_config(self) -> Any:
        # A private hook of Celery 5.7: whatever asks for a setting first imports all of them by it.
        with self.task_modules.errors_in_a_line("Correct it in settings.py."):
            return super()._load_config()

    def prepare_config(self, c: Any) -> Any:
        """Add the protective settings to those of the project, which win."""
        conf = super().prepare_config(c)

        def key(name: str) -> str:
            return f"{self.namespace}_{name.upper()}" if self.namespace else name

        ours = defaults.settings(self.main, lambda name, default: conf.get(key(name), default))
        merged = {key(name): {**ours[name], **(conf.get(key(name)) or {})} for name in defaults.MERGED}
        # `conf` is not copied: Django reads a setting when it is asked for, and tests override some.
        return ChainMap(merged, conf, {key(name): value for name, value in ours.items()})

    def _task_from_fun(self, *args: Any, **options: Any) -> Any:
        # A private hook of Celery 5.7, of which each decorated task is made, whatever its base is.
        return self._without_late_default(super()._task_from_fun(*args, **options))

    def register_task(self, task: Any, **options: Any) -> Any:
        return self._without_late_default(super().register_task(task, **options))

    def _without_late_default(self, task: Any) -> Any:
        """Take the default soft limit from a task whose own time limit comes first: Celery would not publish it."""
        hard, soft = task.time_limit, task.soft_time_limit
        is_default = soft and soft == self.conf.task_soft_time_limit
        if is_default and isinstance(hard, int | float) and 0 < hard <= soft:
            task.soft_time_limit = 0  # None would be filled in again
        return task

    def send_task(self, name: str, *args: Any, **options: Any) -> Any:
        from celery_runtime.brokers.publishing import explained

        if options.get("chord"):
            chords.prepare_member(self, name, options)
        with explained(self):
            return super().send_task(name, *args, **options)

    def _get_backend(self) -> Any:
        # A private hook of Celery 5.7: an entry point names this backend, and wins over what a loader names.
        is_djangos = (self.backend_cls or self.conf.result_backend) == "django-db"
        djangos = "celery_runtime.django.results:DatabaseBackend"
        return chords.fail_outer_chords(symbol_by_name(djangos)(self) if is_djangos else super()._get_backend())

    def _load_task_modules(self, **_options: Any) -> None:
        with self.task_modules.errors_in_a_line("Correct it in settings.py."):
            for fixup in filter(None, self._fixups):
                fixup.on_import_modules()
        _ = self.policy  # read now, so that a wrong rule stops the start
        _ = self.dead_letters.redact
        self.recorder.connect()
        self.task_modules.load()

    def _prepare_start(self, sender: Any, instance: Any = None, **_: Any) -> None:
        """Prepare the start of a worker (`instance`) or of beat (`sender`), if it is this app's."""
        if getattr(instance or sender, "app", None) is not self:
            return
        stderr = sys.__stderr__  # beat has redirected sys.stderr into its log by now
        if self.task_modules.problems:  # the fatal ones have ended the process before
            click.secho(loading.describe(self.task_modules.problems), fg="yellow", bold=True, file=stderr)
        task_process.check_memory_limit(self.conf.get("task_memory_limit"))
        if embedded.uses(self.conf):
            embedded.PROJECT_BROKER.start()
            click.echo(embedded.description(self.conf), file=stderr)

    def _prepare_process(self, **_: Any) -> None:
        if celery.current_app == self:
            task_process.limit_memory(self.conf.get("task_memory_limit"))
            task_process.heed_revocation()
            task_process.wait_for_results(self.backend)

    def _count_revoked(self, sender: Any, request: Any, expired: bool, **_: Any) -> None:
        from celery_runtime.worker.request import count_without_dead_letter  # only a worker has loaded it

        if sender.app is self:
            count_without_dead_letter("expired" if expired else "revoked", sender.name, request.id)

    def _warn_duplicate_task_name(self, name: str, existing: str, new: str, consequence: str) -> None:
        # A private hook of Celery 5.7, kept under watch by tests/test_engine_hooks.py. Its warning
        # names each collision once and lets the worker start with the wrong function.
        self.duplicate_task_names.append((name, existing, new))


def project_app() -> Celery:
    """Return the app of the project, which is the first that this process has made."""
    if Celery.first is None:
        raise ConfigurationError("this process has no Celery app", "Import it in the package of your project.")
    return Celery.first


def _tasks_option() -> click.Option:
    def select(_ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value:
            os.environ[loading.FILTER_VARIABLE] = value

    text = f"Run only these task modules: file names without .py, with * and commas. Sets {loading.FILTER_VARIABLE}."
    return click.Option(["--tasks"], metavar="PATTERNS", callback=select, expose_value=False, help=text)
