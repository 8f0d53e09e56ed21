"""What `make` runs, and what it shares with the tests."""

import sys
from pathlib import Path

# The library, where it stands; at the end, because the tests of a project are a package of the name `tests` as well.
sys.path.append(str(Path(__file__).resolve().parent.parent / "{{cookiecutter.project_slug}}"))
