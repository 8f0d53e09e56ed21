"""Logs by structlog: JSON outside development, coloured inside; each line of a task says which task it is.

The task is read when a line is written, from what Celery knows of the running one: nothing is bound
before a task and nothing can leak into the next.
"""

import json
import logging
import sys
from typing import Any

import structlog
from billiard.einfo import ExceptionWithTraceback
from celery import signals
from celery._state import get_current_task
from celery.app import log
from celery.exceptions import TaskPredicate
from celery.utils.log import get_multiprocessing_logger
from structlog.typing import EventDict, Processor

from celery_runtime import environment
from celery_runtime.errors.classify import classify
from celery_runtime.errors.raised import service_of
from celery_runtime.text import message_of, shortened

TRACE = "celery.app.trace"
LONGEST_TEXT = 10_000  # characters of an event or a traceback
# Libraries that print the whole message, arguments and all, at level DEBUG.
TALKATIVE = ("celery.concurrency", "celery.pool", "celery.worker.strategy", "kombu", "amqp")


class Logging(log.Logging):
    """`app.log`: gives what Celery sets up for this app this project's format."""

    def setup_logging_subsystem(self, *args: Any, **options: Any) -> Any:
        # Celery's signals do not tell whose loggers these are: another app's stay as they are.
        receivers = (signals.after_setup_logger, signals.after_setup_task_logger)
        for signal in receivers:
            signal.connect(_set_up)
        try:
            return super().setup_logging_subsystem(*args, **options)
        finally:
            for signal in receivers:
                signal.disconnect(_set_up)


def _set_up(logger: logging.Logger, colorize: bool | None, **_: Any) -> None:
    set_up(logger, colours=bool(colorize))


class TaskContext:
    """Adds id, name and attempt of the task, the service, and kind and code of an error in hand."""

    def __init__(self, *, arguments: bool) -> None:
        self.arguments = arguments

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        task = get_current_task()
        error = _error_in_hand(event)
        if str(event.get("logger", "")).startswith("celery."):
            _tell_task(event, event.pop("data", None))
        if task is not None and task.request.id:
            event.setdefault("task_id", task.request.id)
            event.setdefault("task", task.name)
            event.setdefault("attempt", getattr(task, "attempt", task.request.retries + 1))
            if self.arguments:
                event.setdefault("args", repr(task.request.args))
                event.setdefault("kwargs", repr(task.request.kwargs))
        if service := service_of(error):
            event.setdefault("service", service)
        if error is not None:
            verdict = classify(error)
            event.setdefault("kind", verdict.kind)
            if verdict.code is not None:
                event.setdefault("code", verdict.code)
            if event.get("logger") == TRACE:
                # Its text tells a stand-in where the exception does not pickle, such as `OSError()`.
                event.setdefault("error", f"{verdict.origin}: {message_of(error)}")
        return event


def _tell_task(event: EventDict, data: object) -> None:
    """Add id and name of what Celery tells about a task; arguments are among the rest of it."""
    if isinstance(data, dict) and "id" in data:
        event["task_id"] = data["id"]
        event["task"] = data.get("name")


def _error_in_hand(event: EventDict) -> BaseException | None:
    """Return the exception of the line, or the one that is being handled where the line is written."""
    given = event.get("exc_info")
    if isinstance(given, tuple):
        given = given[1]
    at_hand = sys.exc_info()[1]
    error = given if isinstance(given, BaseException) else at_hand
    if isinstance(error, ExceptionWithTraceback):  # of a process that was lost
        error = error.exc
    if event.get("logger") == TRACE:
        # What does not pickle Celery gives as one of its bases, or as a stand-in that is none of them.
        error = at_hand or error
    while isinstance(error, TaskPredicate):  # Celery's Retry, Ignore and Reject: what they are about decides
        error = error.__cause__ or error.__context__
    return error if isinstance(error, Exception) else None  # a worker that stops does so by a SystemExit


def cut(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Cut long texts: an error message of megabytes must not fill the disk."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = shortened(value, LONGEST_TEXT)
    return event


def encodable(_logger: Any, _method: str, line: Any) -> str:
    """Return the line without lone surrogates, which JSON can bring in and no file takes."""
    return str(line) if line.isascii() else line.encode(errors="backslashreplace").decode()


def without_repetition(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Leave out the task where the text names it, as Celery's own lines do: for people, a line is long enough."""
    if event.get("task_id") and event["task_id"] in str(event["event"]):
        del event["task_id"], event["task"]
    return event


def without_result(record: logging.LogRecord) -> bool:
    """Take the result out of Celery's own line on a success: it is often made of the arguments."""
    if isinstance(record.args, dict) and "return_value" in record.args:
        record.args = {**record.args, "return_value": "…"}
    return True


def set_up(logger: logging.Logger, *, colours: bool) -> None:
    """Give the handlers of a logger, which Celery has just set up, this project's format."""
    arguments = environment.flag("CELERY_LOG_ARGUMENTS")
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _timestamp(),
        structlog.stdlib.ExtraAdder(),
        TaskContext(arguments=arguments),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            cut,
            *_renderer(colours),
            encodable,
        ],
    )
    others = getattr(get_multiprocessing_logger(), "handlers", ())
    for handler in (*logger.handlers, *others):
        handler.setFormatter(formatter)
        if not arguments:
            handler.addFilter(without_result)
    if not arguments:
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(max(logging.INFO, logger.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _timestamp() -> Processor:
    if environment.is_development():
        return structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=False)
    return structlog.processors.TimeStamper(fmt="iso", utc=True)


def _renderer(colours: bool) -> list[Processor]:
    if environment.is_development():
        plain = structlog.dev.plain_traceback
        console = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain, pad_event_to=0)
        return [without_repetition, console]
    return [structlog.processors.JSONRenderer(serializer=to_json)]


def to_json(event: EventDict, **options: Any) -> str:
    """Return the line; what JSON does not know, such as a NaN or a key that is no text, is told by its repr."""
    try:
        return json.dumps(event, ensure_ascii=False, allow_nan=False, **options)
    except (TypeError, ValueError):
        return json.dumps({key: _told(value) for key, value in event.items()}, ensure_ascii=False)


def _told(value: object) -> object:
    known = value is None or isinstance(value, str | bool | int)
    return value if known else repr(value)[:LONGEST_TEXT]
