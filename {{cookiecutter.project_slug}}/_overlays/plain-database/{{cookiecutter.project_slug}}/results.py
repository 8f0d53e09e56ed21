"""Where results are kept: in a database, a file of SQLite unless `CELERY_RESULT_BACKEND` names another.

Its URLs are those of SQLAlchemy with `db+` in front, such as db+postgresql+psycopg://user@host/name.
"""

from pathlib import Path

from .celery_runtime import environment

SQLITE_FILE = Path(__file__).resolve().parent.parent / "results.sqlite3"


def url(_broker_url: str) -> str:
    return environment.text("CELERY_RESULT_BACKEND") or f"db+sqlite:///{SQLITE_FILE}"
