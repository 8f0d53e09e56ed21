"""`make mutations`: break the library, or a file of a project, one promise at a time, and see which test notices.

`python -m scripts.mutations WORD …` runs those whose promise has these words. Most of the time they wait, so several
run side by side, each in a project of its own.
"""

import os
import queue
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from ..baking import BakedProject, bake, clean_environment, silenced_stdout
from . import MUTATIONS, RUNTIME_TESTS, Mutation

UNTOUCHED = "test_names_are_ordered or test_policy_decisions"  # one in each folder, and both quick
SIDE_BY_SIDE = 2 * (os.cpu_count() or 1)
OPTIONS = ("-x", "-q", "-rfE", "-p", "no:cacheprovider")


def failed_tests(project: BakedProject, selection: str) -> list[str]:
    """Run the selected tests up to the first failure, the project's own first; return what has failed.

    Those on RabbitMQ run only where the selection names it: they take longer.
    """
    if "rabbitmq" not in selection:
        selection = f"({selection}) and not rabbitmq"
    for folder in (project.path / "tests", RUNTIME_TESTS):
        # The library of the project is tested, which is what is mutated, and not that of the template.
        command = [sys.executable, "-m", "pytest", *OPTIONS, "-k", selection, str(folder)]
        command += ["-o", f"pythonpath={project.path}"]
        env = clean_environment(TMPDIR=str(project.path.parent))
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED or done.returncode == pytest.ExitCode.OK:
            continue
        failed = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
        return [f"{folder.name}/{name}" for name in failed] or ["all tests"]  # it cannot even be imported
    return []


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
    """End what mutated code left running: each process that has this folder for temporary files."""
    for process in psutil.process_iter(["environ", "cmdline"]):
        # A server that names itself anew overwrites its environment.
        is_told = (process.info["environ"] or {}).get("TMPDIR") == str(folder)
        if is_told or f"{folder}{os.sep}" in " ".join(process.info["cmdline"] or ()):
            process.kill()


def main() -> None:
    chosen = [one for one in MUTATIONS if all(word in one.promise for word in sys.argv[1:])]
    if not chosen:
        sys.exit(f"error: no promise has the words {' '.join(sys.argv[1:])}")
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        projects: queue.SimpleQueue[BakedProject] = queue.SimpleQueue()

        def try_out(mutation: Mutation) -> list[str]:
            project = projects.get()
            try:
                return notice(project, mutation)
            finally:
                end_processes_of(project.path.parent)
                projects.put(project)

        with silenced_stdout():
            for number in range(min(SIDE_BY_SIDE, len(chosen))):
                projects.put(bake(Path(folder, str(number)), {"project_slug": "shop", "framework": "plain"}))
        if failed := failed_tests(project := projects.get(), UNTOUCHED):
            sys.exit(f"error: with no mutation, these fail already: {', '.join(failed)}")
        projects.put(project)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            noticed = [failed[0] for failed in pool.map(try_out, chosen) if failed]
    own = sum(not name.startswith(f"{RUNTIME_TESTS.name}/") for name in noticed)
    print(f"{len(noticed)} of {len(chosen)} mutations were noticed, {own} of them by the project's own tests.")
    sys.exit(len(noticed) < len(chosen))


if __name__ == "__main__":
    main()
