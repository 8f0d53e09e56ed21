"""`make mutations`: break a generated project, one promise at a time, and see which of its tests notices.

`python -m scripts.mutations WORD …` runs those whose promise has these words.
"""

import re
import sys
import tempfile
from pathlib import Path

import psutil

from ..baking import BakedProject, bake
from . import MUTATIONS, Mutation


def failed_tests(project: BakedProject, selection: str) -> list[str]:
    """Run the selected generated tests up to the first failure; return the names of those that failed."""
    done = project.run(
        project.python, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", "-k", selection
    )
    return re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)


def survives(project: BakedProject, mutation: Mutation) -> bool:
    """Apply the mutation, print what noticed it, and undo it. Return whether nothing noticed."""
    path = project.package / mutation.file
    source = path.read_text()
    if mutation.is_stale(project.package):
        print(f"STALE     {mutation.promise}: look for its text in {mutation.file}")
        return True
    path.write_text(source.replace(mutation.old, mutation.new))
    try:
        failed = failed_tests(project, mutation.tests)
    finally:
        path.write_text(source)
    print(f"{'noticed ' if failed else 'SURVIVED'}  {mutation.promise}: {', '.join(failed)}", flush=True)
    return not failed


def end_processes_of(folder: Path) -> None:
    """End what mutated code left running: each process whose program lies in the folder."""
    for process in psutil.process_iter(["cmdline"]):
        program, *_ = process.info["cmdline"] or [""]
        if Path(program).is_relative_to(folder):
            process.kill()


def main() -> None:
    chosen = [one for one in MUTATIONS if all(word in one.promise for word in sys.argv[1:])]
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        project = bake(Path(folder), {"framework": "plain"})
        project.install()
        try:
            survivors = sum(survives(project, mutation) for mutation in chosen)
        finally:
            end_processes_of(Path(folder))
    print(f"{len(chosen) - survivors} of {len(chosen)} mutations were noticed.")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
