"""Refuses an invalid slug once more: `cookiecutter --replay` asks nothing and so checks nothing."""

import os
import sys
from pathlib import Path

PROBLEM = {{ cookiecutter.project_slug | slug_problem | tojson }}
SLUG = {{ cookiecutter.project_slug | tojson }}


def remove_empty_parents(project: Path, slug: str) -> None:
    """Remove the folders that a slug such as `../evil/deep` made on the way to the project."""
    os.chdir(project.anchor)
    for folder, _ in zip([project, *project.parents], Path(slug).parts, strict=False):
        try:
            folder.rmdir()
        except OSError:
            return


if PROBLEM:
    print(f"error: {PROBLEM}.", file=sys.stderr)
    remove_empty_parents(Path.cwd(), SLUG)
    sys.exit(1)
