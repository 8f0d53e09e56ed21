import os
from pathlib import Path

PRELUDE = "import django; django.setup()"  # of a script that publishes tasks


def use_databases_in(scratch: Path) -> None:
    """Give this test run, and the workers it starts, a database of their own."""
    os.environ["DATABASE_URL"] = f"sqlite:///{scratch / 'db.sqlite3'}"

    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
