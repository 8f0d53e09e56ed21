"""`make mutations`: break a generated project, one promise at a time, and see which of its tests notices.

`python -m scripts.mutations WORD …` runs those whose promise has these words.
"""

import re
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest

from ..baking import BakedProject, plain_project
from ..machinery import FOLDER, add_machinery_tests
from ..rabbitmq import virtual_host
from . import MUTATIONS, Mutation


def failed_tests(project: BakedProject, selection: str) -> list[str]:
    """Run the selected tests up to the first failure, the project's own first; return what has failed.

    Those on RabbitMQ run only where the selection names it: they take longer.
    """
    own = sorted((project.path / "tests").glob("test_*.py"))
    options = ("-x", "-q", "-rfE", "-p", "no:cacheprovider", "-k", selection)
    with virtual_host() if "rabbitmq" in selection else nullcontext("") as url:
        given = {"TEST_RABBITMQ_URL": url} if url else {}
        done = project.run(project.python, "-m", "pytest", *options, *own, f"tests/{FOLDER.name}", **given)
    if done.returncode == pytest.ExitCode.INTERNAL_ERROR:  # the project cannot even be imported
        return ["all tests"]
    return re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)


def notice(project: BakedProject, mutation: Mutation) -> list[str]:
    """Apply the mutation, print what noticed it, and undo it. Return the tests that did."""
    path = mutation.path(project)
    source = path.read_text()
    if mutation.is_stale(project):
        print(f"STALE     {mutation.promise}: look for its text in {mutation.file}")
        return []
    path.write_text(source.replace(mutation.old, mutation.new))
    try:
        failed = failed_tests(project, mutation.tests)
    finally:
        path.write_text(source)
    print(f"{'noticed ' if failed else 'SURVIVED'}  {mutation.promise}: {', '.join(failed)}", flush=True)
    return failed


def end_processes_of(folder: Path) -> None:
    """End what mutated code left running: each process whose program lies in the folder."""
    for process in psutil.process_iter(["cmdline"]):
        program, *_ = process.info["cmdline"] or [""]
        if Path(program).is_relative_to(folder):
            process.kill()


def main() -> None:
    chosen = [one for one in MUTATIONS if all(word in one.promise for word in sys.argv[1:])]
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        project = plain_project(Path(folder))
        add_machinery_tests(project, project.path / "tests")
        try:
            noticed = [failed[0] for mutation in chosen if (failed := notice(project, mutation))]
        finally:
            end_processes_of(Path(folder))
    own = sum(not name.startswith(f"tests/{FOLDER.name}/") for name in noticed)
    print(
        f"{len(noticed)} of {len(chosen)} mutations were noticed, {own} of them by the project's own tests."
    )
    sys.exit(len(noticed) < len(chosen))


if __name__ == "__main__":
    main()
