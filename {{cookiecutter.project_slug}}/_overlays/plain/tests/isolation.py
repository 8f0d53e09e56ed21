import os
from pathlib import Path

from {{ cookiecutter.project_slug }} import results

PRELUDE = ""  # of a script that publishes tasks


def use_databases_in(scratch: Path) -> None:
    """Give this test run, and the workers it starts, a database of their own."""
    if results.DEFAULT is not None:
        os.environ["CELERY_RESULT_BACKEND"] = f"db+sqlite:///{scratch / 'results.sqlite3'}"
