"""Write logs by structlog: JSON outside development, coloured inside; each line of a task names the task.

Celery's running task is read when a line is written: nothing is bound before a task and nothing can leak
into the next. Runs in: worker main process | task process | beat.
"""

import json
import logging
import sys
from functools import partial
from typing import Any

import structlog
from billiard.einfo import ExceptionWithTraceback
from celery import current_task, signals
from celery.app import log
from celery.exceptions import TaskPredicate
from celery.utils.log import get_multiprocessing_logger
from structlog import dev, processors, stdlib
from structlog.typing import EventDict, Processor

from celery_runtime import environment
from celery_runtime.errors.classify import classify
from celery_runtime.errors.raised import service_of
from celery_runtime.printed import PrintedLines
from celery_runtime.retry.next_run import attempt_of
from celery_runtime.text import message_of, shortened

TRACE = "celery.app.trace"
TOP, BOTTOM = 4, 20  # lines of a traceback in development
LONGEST_TEXT = 10_000  # characters of an event or a traceback
# These libraries print the whole message, arguments and all, at level DEBUG.
TALKATIVE = ("celery.concurrency", "celery.pool", "celery.worker.strategy", "kombu", "amqp")


class Logging(log.Logging):
    """`app.log`: gives the loggers that Celery sets up for this app the format of this library."""

    def setup_logging_subsystem(self, *args: Any, **options: Any) -> Any:
        # Celery's signals do not say whose loggers these are: another app's stay as they are.
        receivers = (signals.after_setup_logger, signals.after_setup_task_logger)
        for signal in receivers:
            signal.connect(_set_up)
        try:
            return super().setup_logging_subsystem(*args, **options)
        finally:
            for signal in receivers:
                signal.disconnect(_set_up)

    def redirect_stdouts_to_logger(
        self, logger: logging.Logger, loglevel: Any = None, stdout: bool = True, stderr: bool = True
    ) -> PrintedLines:
        printed = PrintedLines(logger, loglevel)
        sys.stdout = printed if stdout else sys.stdout
        sys.stderr = printed if stderr else sys.stderr
        return printed


def _set_up(logger: logging.Logger, colorize: bool | None, **_: Any) -> None:
    arguments = environment.flag("CELERY_LOG_ARGUMENTS")
    if environment.is_development():
        timestamp = processors.TimeStamper(fmt="%H:%M:%S.%f", utc=False)
        console = dev.ConsoleRenderer(colors=bool(colorize), exception_formatter=dev.plain_traceback, pad_event_to=0)
        renderer: list[Processor] = [without_repetition, without_middle, console]
    else:
        timestamp = processors.TimeStamper(fmt="iso", utc=True)
        renderer = [processors.JSONRenderer(serializer=to_json)]
    wrap, unwrap = stdlib.ProcessorFormatter.wrap_for_formatter, stdlib.ProcessorFormatter.remove_processors_meta
    context = partial(add_context, arguments=arguments)
    shared: list[Processor] = [stdlib.add_log_level, stdlib.add_logger_name, timestamp, stdlib.ExtraAdder(), context]
    rendering: list[Processor] = [unwrap, processors.format_exc_info, cut, *renderer, encodable]
    formatter = stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=rendering)
    for handler in (*logger.handlers, *getattr(get_multiprocessing_logger(), "handlers", ())):
        handler.setFormatter(formatter)
        if not arguments:
            handler.addFilter(without_result)
    if not arguments:
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(max(logging.INFO, logger.level))
    own: list[Processor] = [stdlib.filter_by_level, stdlib.PositionalArgumentsFormatter(), *shared, wrap]
    factory = stdlib.LoggerFactory()
    structlog.configure(own, stdlib.BoundLogger, logger_factory=factory, cache_logger_on_first_use=True)


def add_context(_logger: Any, _method: str, event: EventDict, *, arguments: bool) -> EventDict:
    """Add id, name and attempt of the task, the service, and kind and code of the error in hand."""
    context: dict[str, Any] = {}
    if str(event.get("logger", "")).startswith("celery."):
        data = event.pop("data", None)  # of the task that the line is about; its arguments are in it
        if isinstance(data, dict) and "id" in data:
            event["task_id"], event["task"] = data["id"], data.get("name")
    if current_task and (request := current_task.request).id:
        context = {"task_id": request.id, "task": current_task.name}
        context["attempt"] = attempt_of(request)
        if arguments:
            context |= {"args": repr(request.args), "kwargs": repr(request.kwargs)}
    error = _error_in_hand(event)
    context["service"] = service_of(error) or None
    if error is not None:
        verdict = classify(error)
        context |= {"kind": verdict.kind, "code": verdict.code}
        if event.get("logger") == TRACE:
            # Celery's text names a stand-in where the exception does not pickle, such as `OSError()`.
            context["error"] = f"{verdict.origin}: {message_of(error)}"
    for key, value in context.items():
        if value is not None:
            event.setdefault(key, value)
    return event


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
        # Celery passes an exception that does not pickle as one of its bases, or as a stand-in.
        error = at_hand or error
    while isinstance(error, TaskPredicate):  # the cause of Celery's Retry, Ignore and Reject decides
        error = error.__cause__ or error.__context__
    return error if isinstance(error, Exception) else None  # a worker that stops does so by a SystemExit


def cut(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Cut long texts: an error message of megabytes must not fill the disk."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = shortened(value, LONGEST_TEXT)
    return event


def to_json(event: EventDict, **_options: Any) -> str:
    """Return the line; a value that JSON does not know, such as a NaN, is replaced by its repr."""
    try:
        return json.dumps(event, ensure_ascii=False, allow_nan=False, default=repr)
    except (TypeError, ValueError):  # `default` is not asked about a NaN, nor about a key that is not a text
        plain = {k: v if isinstance(v, str | int | None) else repr(v)[:LONGEST_TEXT] for k, v in event.items()}
        return json.dumps(plain, ensure_ascii=False)


def encodable(_logger: Any, _method: str, line: Any) -> str:
    """Return the line without lone surrogates, which JSON can bring in and which a file cannot take."""
    return str(line) if line.isascii() else line.encode(errors="backslashreplace").decode()


def without_repetition(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Leave out the task where the text names it, as Celery's own lines do, to keep the line short."""
    if event.get("task_id") and event["task_id"] in str(event["event"]):
        del event["task_id"], event["task"]
    return event


def without_middle(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Cut the middle out of a long traceback, such as that of a chain of errors. Its dead letter has all of it."""
    lines = str(event.get("exception") or "").splitlines()
    if (more := len(lines) - TOP - BOTTOM) > 0:
        event["exception"] = "\n".join([*lines[:TOP], f"  … {more} lines cut …", *lines[-BOTTOM:]])
    return event


def without_result(record: logging.LogRecord) -> bool:
    """Take the result out of Celery's own line on a success, because it is often made of the arguments."""
    if isinstance(record.args, dict) and "return_value" in record.args:
        record.args = {**record.args, "return_value": "…"}
    return True
