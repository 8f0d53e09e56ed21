"""`make fuzz`: send random messages to a real worker of a baked project, and account for each.

`make fuzz N=20000 SEED=7 BROKER=rabbitmq` sends as many, repeats the run of that seed, on that broker.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.malformed import tasks
from tests.workers import running_worker

from . import choices, rabbitmq, redis_server
from .baking import TEMPLATE, BakedProject, plain_project
from .unavailable import Unavailable


def command(project: BakedProject, *arguments: str) -> list[str]:
    return [str(project.python), "-m", "tests.malformed", project.slug, *arguments]


def environment(project: BakedProject, **extra: str) -> dict[str, str | Path]:
    """Return what `BakedProject.run` is to be given for the command: its own tests must not hide the template's."""
    return {"cwd": TEMPLATE, "PYTHONPATH": str(project.path), **extra}


@contextmanager
def broker_urls(broker: str) -> Iterator[dict[str, str]]:
    """Lend a broker that is empty, and a Redis for the results, by the variables that name them."""
    with redis_server.redis_server() as redis, ExitStack() as stack:
        url = stack.enter_context(rabbitmq.virtual_host()) if broker == "rabbitmq" else redis.url
        yield {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": redis.url}


def run(folder: Path, broker: str, number: int, seed: int) -> int:
    """Send the messages and print the account. Return the exit status."""
    project = plain_project(folder)
    (project.tasks / tasks.FILE).write_text(tasks.SOURCE)
    log = folder / "log"
    with broker_urls(broker) as urls:
        urls["NOTES"] = str(folder / "notes")
        with running_worker(project, log, **urls) as worker:
            arguments = ("fuzz", "--number", str(number), "--seed", str(seed), "--log", str(log))
            sent = project.run(*command(project, *arguments), **environment(project, **urls))
            print(sent.stdout or sent.stderr)
            if worker.process.poll() is not None or sent.returncode != 0:
                print("\n".join(worker.output().splitlines()[-100:]))
                return 1
    return 0


def main() -> None:
    broker, number, seed = choices.broker(), choices.number(5_000), choices.seed()
    print(f"{number} messages to {broker}; SEED={seed} repeats them", flush=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            sys.exit(run(Path(folder), broker, number, seed))
        except Unavailable as error:
            sys.exit(f"error: {error}.")


if __name__ == "__main__":
    main()
