"""Run beat: with signs of life for the probe, and a line where its schedule cannot be written. Runs in: beat."""

import dbm
import tempfile
from pathlib import Path
from typing import Any

from celery import beat
from celery.apps import beat as program
from celery.platforms import EX_FAILURE
from celery.utils.log import get_logger

from celery_runtime import environment, health
from celery_runtime.worker.liveness import Liveness

logger = get_logger(__name__)

CANNOT_WRITE = (OSError, *dbm.error)


class Service(beat.Service):
    def get_scheduler(self, lazy: bool = False, **options: Any) -> Any:
        if lazy:  # for the banner
            return super().get_scheduler(lazy, **options)
        if isinstance(super().get_scheduler(True, **options), beat.PersistentScheduler):
            self._check_place()
        scheduler = super().get_scheduler(**options)
        self._give_signs_of_life(scheduler)
        write, publish = scheduler.sync, scheduler.apply_async

        def publish_named(entry: Any, *args: Any, **options: Any) -> Any:
            """Name the entry in the message, for results, as django-celery-beat does; tell in a line what cannot be."""
            entry.options["headers"] = {"periodic_task_name": entry.name, **(entry.options.get("headers") or {})}
            try:
                return publish(entry, *args, **options)
            except beat.SchedulingError as error:  # at each tick: an entry in a database can be wrong for long
                logger.error("%s", error)

        def sync() -> None:
            try:
                write()
            except CANNOT_WRITE as error:
                logger.error("the schedule was not written to %s: %s", self.schedule_filename, error)

        scheduler.sync, scheduler.apply_async = sync, publish_named
        return scheduler

    def _check_place(self) -> None:
        """End beat if it cannot write its file: Celery would take that for corrupted, and print two tracebacks."""
        path = Path(self.schedule_filename)
        try:
            tempfile.TemporaryFile(dir=path.parent).close()
            for file in path.parent.glob(f"{path.name}*"):
                file.open("ab").close()
        except OSError as error:
            logger.critical("beat cannot write %s: %s; name another file by --schedule", path, error.strerror)
            raise SystemExit(EX_FAILURE) from None

    def _give_signs_of_life(self, scheduler: Any) -> None:
        """Touch the file for the probe at each pass of the scheduler, and while it waits for its broker."""
        liveness, tick = Liveness("beat"), scheduler.tick
        ensure_connection = scheduler.connection.ensure_connection
        liveness.tell(health.READY)

        def tick_and_touch(*args: Any, **options: Any) -> Any:
            liveness.touch()
            return tick(*args, **options)

        def wait_and_touch(errback: Any, *_: Any, **__: Any) -> Any:
            return ensure_connection(errback, callback=liveness.touch)

        scheduler.tick, scheduler.connection.ensure_connection = tick_and_touch, wait_and_touch


class Beat(program.Beat):
    Service = Service

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not environment.is_development():
            self.quiet = True  # the banner is no JSON
