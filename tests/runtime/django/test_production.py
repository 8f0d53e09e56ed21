"""Production is never guessed: what it needs and is not set is one line."""

import pytest

PRODUCTION = {"APP_ENV": "production", "DJANGO_SECRET_KEY": "set", "DATABASE_URL": "sqlite:///:memory:"}


@pytest.mark.parametrize("name", ["DJANGO_SECRET_KEY", "DATABASE_URL"])
def test_what_is_not_set_is_told(copy, name):
    done = copy.celery("tasks", "check", **{**PRODUCTION, name: ""})
    assert done.returncode == 1
    assert done.stderr == f"error: {name} is not set, and APP_ENV is 'production'. Set it.\n"
    assert copy.celery("tasks", "check", **PRODUCTION).returncode == 0
