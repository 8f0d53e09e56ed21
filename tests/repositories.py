"""The template as it stands in a git repository of its own, from which cruft creates projects."""

import shutil
import subprocess
import sys
from pathlib import Path

from scripts.baking import TEMPLATE, clean_environment

CRUFT = (sys.executable, "-m", "cruft")
GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@b.c")


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Run it where no settings of a user are found; return what it prints."""
    env = clean_environment(HOME=str(cwd), **environment)
    return subprocess.run(command, cwd=cwd, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout


def commit_all(folder: Path) -> None:
    """Commit everything, in a repository that is made where there is none."""
    run(*GIT, "init", "--quiet", cwd=folder)
    run(*GIT, "add", "--all", cwd=folder)
    run(*GIT, "commit", "--quiet", "-m", "All", cwd=folder)


def template_repository(folder: Path) -> Path:
    """Copy the template into the folder, with what is not committed yet, and commit it there."""
    listed = run("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=TEMPLATE)
    for name in [name for name in listed.split("\0") if (TEMPLATE / name).is_file()]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TEMPLATE / name, folder / name)
    commit_all(folder)
    return folder
