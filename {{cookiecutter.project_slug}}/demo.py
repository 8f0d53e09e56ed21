"""`make demo`: discovery, a backlog in order of priority, a retry, a dead letter. It leaves nothing running.

It runs the examples, and goes with them.
"""

import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from celery_runtime.brokers import BrokerError, broker_of, embedded
from celery_runtime.brokers.priorities import Priority
from celery_runtime.environment import ConfigurationError

if TYPE_CHECKING:
    from celery_runtime.app import Celery

PACKAGE = sys.argv[1]  # of the project
BACKLOG = 200
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
DEADLINE = 60.0  # seconds
COLOURS = {Priority.HIGH: "red", Priority.NORMAL: "yellow", Priority.LOW: "blue"}
NOTE = "ex14_priorities.note"
RETRIED = "ex3_auto_retry.succeed_on_run"
REPLAYED = "ex6_dead_letter_queue.send_invoice"


def main() -> None:
    for number in INTERRUPTS:
        signal.signal(number, _interrupt)
    scratch = Path(tempfile.mkdtemp(prefix="celery-demo-", dir=embedded.temporary_folder()))
    try:
        with _broker(scratch) as app:
            _show_discovery(app)
            _refuse_foreign_messages(app)
            order = scratch / "order"
            with _timed("publish the backlog"):
                expected = _publish_backlog(app, order)
            with _worker(scratch / "worker.log") as worker:
                with _timed("run the backlog"):
                    ran = _wait_for_backlog(worker, order)
                _show_order(ran, expected)
                with _timed("retry a task until it succeeds"):
                    _show_retry(app)
                with _timed("fail for good, mend the cause, run it again"):
                    _show_dead_letter(app, scratch)
        click.secho("\nDone. What the demo started is stopped again.", fg="green", bold=True)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _broker(scratch: Path) -> Iterator["Celery"]:
    server = embedded.EmbeddedBroker(scratch)
    os.environ["CELERY_HEALTH_FOLDER"] = str(scratch / "health")
    app = importlib.import_module(PACKAGE).app  # it reads .env
    given = "CELERY_BROKER_URL" in os.environ
    os.environ.setdefault("CELERY_BROKER_URL", server.url())
    try:
        if embedded.uses(app.conf):
            os.environ["CELERY_RESULT_BACKEND"] = server.url(1)
        if not given or server.url(1) in app.conf.result_backend:
            with _timed("start an embedded Valkey"):
                server.start()
        if given:
            click.echo(f"The broker is {app.connection().as_uri()}.")
        yield app
    finally:
        server.stop()


@contextmanager
def _timed(step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    click.secho(f"  {step}: {time.perf_counter() - start:.2f} s", dim=True)


def _show_discovery(app: "Celery") -> None:
    with _timed("discover the task files"):
        app.loader.import_default_modules()
    for module in app.task_modules.selected:
        click.echo(f"  {module.file}")
    for name in (NOTE, RETRIED, REPLAYED):
        if _full_name(app, name) not in app.tasks:
            raise ConfigurationError(f"the demo runs {name}, which is gone", "Put the example back.")


def _full_name(app: "Celery", name: str) -> str:
    return f"{app.task_modules.package}.{name}"


def _refuse_foreign_messages(app: "Celery") -> None:
    try:
        broker = broker_of(app)
        waiting = sum(broker.depth(queue).total for queue in app.amqp.queues)
    except BrokerError as error:
        raise ConfigurationError(
            f"the broker at {error}", "Start it, or correct CELERY_BROKER_URL."
        ) from None
    if waiting:
        raise ConfigurationError(
            f"{waiting} messages wait on this broker, which the demo would run",
            "Give it a database or virtual host of its own by CELERY_BROKER_URL.",
        )


def _publish_backlog(app: "Celery", order: Path) -> list[Priority]:
    """Publish low, normal and high tasks in random order; return the order in which they should run."""
    backlog = [list(COLOURS)[number % len(COLOURS)] for number in range(BACKLOG)]
    random.shuffle(backlog)
    note = app.tasks[_full_name(app, NOTE)]
    for priority in backlog:
        note.apply_async((str(order), priority.name, 0.01), priority=priority)
    click.echo(f"\n{BACKLOG} tasks were published in random order:\n{_picture(backlog)}")
    return sorted(backlog, reverse=True)


@contextmanager
def _worker(log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    options = ["--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    command = [sys.executable, "-m", "celery", "-A", PACKAGE, "worker", *options]
    worker = None
    try:
        with log.open("wb") as output, _uninterrupted():
            worker = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        yield worker
    except (Exception, SystemExit):
        click.echo(log.read_text(), err=True)
        raise
    finally:
        if worker is not None:
            _end(worker)


def _end(worker: "subprocess.Popen[bytes]") -> None:
    worker.terminate()
    try:
        worker.wait(timeout=10)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _interrupt(*_: object) -> None:
    # Ctrl+C arrives twice, from the terminal and from uv: ignore the second while cleaning up.
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off an interrupt to the end: in the middle of a start it would leave a process that nobody knows."""
    received: list[int] = []
    for number in INTERRUPTS:
        signal.signal(number, lambda caught, _: received.append(caught))
    try:
        yield
    finally:
        for number in INTERRUPTS:
            signal.signal(number, _interrupt)
    if received:
        _interrupt()


def _wait_for_backlog(worker: "subprocess.Popen[bytes]", order: Path) -> list[Priority]:
    deadline = time.monotonic() + DEADLINE
    done = 0
    no_terminal = not sys.stdout.isatty()
    with click.progressbar(length=BACKLOG, label="running", show_eta=False, hidden=no_terminal) as bar:
        while done < BACKLOG:
            if worker.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"error: the worker ran {done} of {BACKLOG} tasks; its log is above.")
            time.sleep(0.05)
            now = order.read_text().count("\n") if order.exists() else 0
            bar.update(now - done)
            done = now
    return [Priority[name] for name in order.read_text().split()]


def _show_retry(app: "Celery") -> None:
    runs = app.tasks[_full_name(app, RETRIED)].delay(3).get(timeout=DEADLINE)
    click.echo(f"\nA task that lost its connection twice succeeded on run {runs}.")


def _show_dead_letter(app: "Celery", addresses: Path) -> None:
    task_id = app.tasks[_full_name(app, REPLAYED)].delay(str(addresses), "ada").id
    app.AsyncResult(task_id).get(timeout=DEADLINE, propagate=False)
    entry = app.dead_letters.get(task_id)
    if entry is None:
        raise SystemExit("error: the failed task left no dead letter.")
    click.echo(f"\nA task was given up and is stored as a dead letter: {entry.message}.")
    (addresses / "ada").write_text("12 St James's Square")
    app.dead_letters.requeue(task_id)
    outcome = app.AsyncResult(task_id).get(timeout=DEADLINE)
    click.echo(f"The address was added, the same task requeued: {outcome}.")


def _show_order(ran: list[Priority], expected: list[Priority]) -> None:
    click.echo(f"\nThey ran in this order:\n{_picture(ran)}")
    legend = ", ".join(
        f"{click.style(p.name[0], fg=colour)} {p.name.lower()}" for p, colour in COLOURS.items()
    )
    click.echo(f"  {legend}")
    if ran != expected:
        raise SystemExit("error: the tasks did not run in order of priority.")
    click.secho("Urgent work ran first.", fg="green")


def _picture(priorities: list[Priority], width: int = 50) -> str:
    marks = [click.style(priority.name[0], fg=COLOURS[priority], bold=True) for priority in priorities]
    return "\n".join("  " + "".join(marks[start : start + width]) for start in range(0, len(marks), width))


if __name__ == "__main__":
    main()
