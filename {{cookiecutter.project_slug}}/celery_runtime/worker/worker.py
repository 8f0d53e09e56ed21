"""Stop the worker gently, within a time. Runs in: worker main process."""

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from celery import platforms, signals
from celery.apps import worker
from celery.concurrency import thread
from celery.platforms import EX_FAILURE, EX_OK
from celery.utils.log import get_logger
from celery.worker import state

from celery_runtime import environment
from celery_runtime.discovery.pool import refuse_green
from celery_runtime.worker.pool_fixes import drop_late_soft_limits, notice_at_once, put_off_overdue
from celery_runtime.worker.request import Request
from celery_runtime.worker.task_process import wait_for_results

logger = get_logger(__name__)

LOOK_EVERY = 0.2  # seconds
STANDSTILL = 1.0  # seconds after which the loop does not know what has ended meanwhile
ONE_PRESS = 1.0  # seconds; a terminal sends Ctrl+C to all that runs in it, and watchfiles passes it on a second time


def say(text: str, *_: Any) -> None:
    """Write a line as logs are written. A signal handler may not log: it may have interrupted a line."""
    if not environment.is_development():
        when = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        text = json.dumps({"event": text, "level": "warning", "logger": __name__, "timestamp": when})
    with suppress(OSError):
        os.write(sys.__stderr__.fileno(), f"{text}\n".encode())  # type: ignore[union-attr]


class Worker(worker.Worker):
    """Celery's, with another SIGTERM and Ctrl+C: it takes nothing new, and ends when all tasks have ended.

    After a SIGTERM there is a time for that, the setting `worker_soft_shutdown_timeout`; tasks that have not ended by
    then, or by a second Ctrl+C, return to their queue. Celery's own soft shutdown sleeps for all of that time, and
    answers neither the broker nor a probe meanwhile. Its warm one waits for the tasks outside its loop, where another
    thread acknowledges them: some are not, and run twice.
    """

    _is_stopping = _has_deadline = _takes_nothing = _was_idle = False
    _interrupted_at: float | None = None

    def on_before_init(self, **options: Any) -> None:
        refuse_green(self.app.either("worker_pool", options.get("pool"), options.get("pool_cls")))
        super().on_before_init(**options)

    def emit_banner(self) -> None:
        if environment.is_development():
            super().emit_banner()
            return
        broker, results = self.app.connection_for_read().as_uri(), self.app.backend.as_uri()
        queues = ", ".join(sorted(self.app.amqp.queues.consume_from))
        starts = "%s starts: broker %s, results %s, concurrency %s, queues %s"
        logger.info(starts, self.hostname, broker, results, self.concurrency, queues)

    def on_start(self) -> None:
        super().on_start()
        worker.safe_say = say
        if issubclass(self.pool_cls, thread.TaskPool):
            signals.task_prerun.connect(self._prepare_thread)
        # Signal handlers send it, of which one may interrupt another: with Celery's lock that waits for ever.
        signals.worker_shutting_down.lock = threading.RLock()
        if hasattr(signal, "SIGQUIT"):
            self._main, self._stop_at_once = os.getpid(), platforms.signals["SIGQUIT"]
            platforms.signals.update(SIGTERM=self._on_sigterm, SIGINT=self._on_sigint, SIGQUIT=self._on_sigquit)
        if not self._isatty:
            # Celery would start the worker anew in the middle of whatever it does.
            platforms.signals.ignore("SIGHUP")
        if self.hub:
            self._looked_at = time.monotonic()
            self.timer.call_repeatedly(LOOK_EVERY, self._look)

    def register_with_event_loop(self, hub: Any) -> None:
        prefork = getattr(self.pool, "_pool", None)
        if hasattr(prefork, "_event_process_exit"):
            notice_at_once(prefork, hub)
        super().register_with_event_loop(hub)
        if hasattr(prefork, "on_timeout_set"):
            drop_late_soft_limits(prefork)

    def _prepare_thread(self, sender: Any, **_: Any) -> None:
        if sender.app is self.app:
            wait_for_results(sender.backend)  # each thread has one of its own

    def wait_for_soft_shutdown(self) -> None:
        """Do not wait: a SIGTERM has, and a second Ctrl+C means at once."""

    def _on_sigterm(self, *_: Any) -> None:
        if self._has_deadline:
            return
        self._has_deadline = True
        seconds = self.app.conf.worker_soft_shutdown_timeout
        self._stop_gently("SIGTERM", f"running tasks may end within {seconds:g} s, or return to their queue")
        threading.Thread(target=self._end_in_time, args=(seconds,), daemon=True).start()

    def _end_in_time(self, seconds: float) -> None:
        time.sleep(max(seconds, 0))
        os.kill(os.getpid(), signal.SIGQUIT)
        self._end_by_force()

    def _end_by_force(self) -> None:
        time.sleep(self.app.conf.worker_exit_timeout)
        # The stop hangs: the broker is silent, or a task runs in a thread, which nothing can end.
        say("worker: ends now; the tasks that still run will run again")
        with suppress(Exception):
            self.consumer.requeue_running()
        os._exit(EX_FAILURE)

    def _on_sigquit(self, *args: Any) -> None:
        if not self._has_deadline and os.getpid() == self._main:  # a terminal sends it to the processes of tasks too
            self._has_deadline = True
            threading.Thread(target=self._end_by_force, daemon=True).start()
        self._stop_at_once(*args)  # Celery's cold shutdown, which waits for threads without a bound

    def _on_sigint(self, *_: Any) -> None:
        now = time.monotonic()
        if self._interrupted_at is None:
            self._interrupted_at = now
            self._stop_gently("SIGINT", "running tasks may end, or return to their queue with another Ctrl+C")
        elif now - self._interrupted_at > ONE_PRESS:
            os.kill(os.getpid(), signal.SIGQUIT)

    def _stop_gently(self, name: str, tasks: str) -> None:
        say(f"worker: stops; {tasks}")
        if self._is_stopping:
            return
        self._is_stopping = Request.worker_stops = True
        signals.worker_shutting_down.send(sender=self.hostname, sig=name, how="Warm", exitcode=EX_OK)
        if not self.hub or not state.reserved_requests:
            state.should_stop = EX_OK

    def _look(self) -> None:
        """Look after the pool and the stop. The loop calls it, as its next timer at any time."""
        before, self._looked_at = self._looked_at, time.monotonic()
        prefork = getattr(self.pool, "_pool", None)
        if self._looked_at - before > STANDSTILL and hasattr(prefork, "on_timeout_set"):
            put_off_overdue(prefork, self.timer)
        if not self._is_stopping:
            return
        if not self._takes_nothing and self.consumer.task_consumer:  # there is none before the first connection
            self._takes_nothing = True
            self.consumer.task_consumer.cancel()
        is_idle = not state.reserved_requests
        if is_idle and self._was_idle:  # in between, the loop has sent the last acknowledgement
            state.should_stop = EX_OK
        self._was_idle = is_idle
