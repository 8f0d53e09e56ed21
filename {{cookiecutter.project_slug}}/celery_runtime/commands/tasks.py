"""Define the command `celery -A PACKAGE tasks`: list, check and write task files."""

from collections.abc import Iterable
from typing import Any

import click

from celery_runtime.app import Celery
from celery_runtime.commands.shared import as_json, counted, echo_json, echo_table, own_app
from celery_runtime.discovery.loading import describe
from celery_runtime.discovery.new_task import Refused, write_new_task
from celery_runtime.discovery.options import route_of


@click.group()
def tasks() -> None:
    """Show, check and write task files."""


@tasks.command("list")
@click.option("--ignored", is_flag=True, help="Also the files that were passed over, with the reason.")
@as_json
def list_tasks(ignored: bool, as_json: bool) -> None:
    """Show each task with its queue, priority and file."""
    app = own_app()
    app.loader.import_default_modules()
    rows = list(_task_rows(app))
    reasons = app.task_modules.ignored if ignored else {}
    passed_over = [{"file": file, "ignored": reason} for file, reason in reasons.items()]
    if as_json:
        blank = dict.fromkeys(("task", "module", "file", "queue", "priority", "ignored") if ignored else ())
        echo_json([{**blank, **row} for row in [*rows, *passed_over]])
        return
    echo_table(("task", "queue", "priority", "file"), rows)
    if passed_over:
        click.echo()
        echo_table(("file", "ignored"), passed_over)


@tasks.command()
@as_json
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Exit with 1 where a worker would refuse to start, naming every reason."""
    app = own_app()
    problems = app.task_modules.check()
    if as_json:
        echo_json([problem._asdict() for problem in problems])
    elif problems:
        click.echo(describe(problems))
    else:
        ignored = len(app.task_modules.ignored)
        passed_over = f" {ignored} files were passed over: tasks list --ignored." if ignored else ""
        click.echo(f"{counted(len(app.task_modules.selected), 'task file')}, no problem.{passed_over}")
    if any(problem.fatal for problem in problems):
        ctx.exit(1)


@tasks.command("new")
@click.argument("name")
def new_task(name: str) -> None:
    """Write a task file, and a test of it that passes.

    NAME is that of the task (refund) or of its file (ex20_refund); billing/refund writes it into a sub-folder.
    """
    app = own_app()
    try:
        new = write_new_task(app, name)
    except Refused as error:
        raise click.ClickException(str(error)) from None
    test = new.shown(new.test)
    click.echo(f"Written in {app.task_modules.root}:\n  {new.shown(new.file)}\n  {test}\n")
    click.echo(f"Next, make of both what you want, and run the test there:\n  uv run pytest {test}\n")
    click.echo("A worker that runs must be restarted to know the task; `make dev` does it by itself.")


def _task_rows(app: Celery) -> Iterable[dict[str, Any]]:
    by_file = {module.file: (position, module.name) for position, module in enumerate(app.task_modules.selected)}
    located = [(task, *app.task_modules.location(task)) for task in app.task_modules.own_tasks()]
    ours = [(by_file[file], line, task, file) for task, file, line in located if file in by_file]
    for (_, module), _, task, file in sorted(ours, key=lambda row: (row[0], row[1], row[2].name)):
        queue, priority = route_of(task, app)
        yield {"task": task.name, "module": module, "file": file, "queue": queue, "priority": priority}
