"""Refuses an invalid slug once more: `cookiecutter --replay` asks nothing and so checks nothing."""

import os
import sys
from contextlib import suppress
from pathlib import Path

PROBLEM = {{ cookiecutter.project_slug | slug_problem | tojson }}
SLUG = Path({{ cookiecutter.project_slug | tojson }})
OUTPUT = Path({{ cookiecutter._output_dir | default("") | tojson }})  # cruft does not tell it


def remove_with_parents(project: Path, depth: int) -> None:
    """Remove the empty folders that a slug such as `../evil/deep` made on the way to the project."""
    os.chdir(project.anchor)
    for folder in [project, *project.parents][:depth]:
        with suppress(OSError):
            folder.rmdir()


if PROBLEM:
    print(f"error: {PROBLEM}.", file=sys.stderr)
    # A folder with no parents to remove is left to cookiecutter, which fails when it finds none.
    if len(SLUG.parts) > 1:
        remove_with_parents(OUTPUT / SLUG, len(SLUG.parts))
    sys.exit(1)
