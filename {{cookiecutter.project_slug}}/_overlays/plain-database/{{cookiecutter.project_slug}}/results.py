"""Where results are kept, unless `CELERY_RESULT_BACKEND` names another place: in a file of SQLite.

Its URLs are those of SQLAlchemy with `db+` in front, such as db+postgresql+psycopg://user@host/name.
"""

from pathlib import Path

DEFAULT = f"db+sqlite:///{Path(__file__).resolve().parent.parent / 'results.sqlite3'}"
