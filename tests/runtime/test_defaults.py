"""A setting that a project states wins over the protective one, in a plain project as in Django."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import celery_runtime

# Prints for each protective setting what an app makes of it when the project states something else.
CODE = """
import json, os, sys, types
from celery_runtime import Celery, defaults

BROKER = os.environ["BROKER"]
os.environ.pop("CELERY_BROKER_URL", None)
known = defaults.settings("shop", lambda name, default: BROKER if name == "broker_url" else default)

def other(name, value):
    if name in defaults.MERGED:
        return {next(iter(value)): "stated", "more": 1}
    if isinstance(value, bool):
        return not value
    if isinstance(value, dict):
        return {"max_retries": 7}
    if name == "task_soft_time_limit":
        return value - 1
    return f"{value} stated" if isinstance(value, str) else (value or 0) + 1

def plain(name, stated):
    module = types.ModuleType("stated")
    vars(module).update(broker_url=BROKER, **stated)
    app = Celery("shop")
    app.config_from_object(module)
    return app.conf[name]

def django(name, stated):
    from django.conf import settings
    from django.test import override_settings
    if not settings.configured:
        settings.configure(CELERY_BROKER_URL=BROKER)
    app = Celery("shop")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    with override_settings(**{f"CELERY_{name}".upper(): value for name, value in stated.items()}):
        return app.conf[name]

ask = {"plain": plain, "django": django}[sys.argv[1]]
rows = []
for name, value in known.items():
    stated = other(name, value)
    expected = {**value, **stated} if name in defaults.MERGED else stated
    rows.append([name, ask(name, {name: stated}) == expected, ask(name, {}) == value])
print(json.dumps(rows))
"""


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//"], ids=["redis", "rabbitmq"])
@pytest.mark.parametrize("framework", ["plain", "django"])
def test_what_is_stated_wins_over_each_protective_setting(framework, broker, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    path = f"{tmp_path}{os.pathsep}{Path(celery_runtime.__path__[0]).parent}"
    environment = {**os.environ, "PYTHONPATH": path, "BROKER": broker}
    command = [sys.executable, "-c", CODE, framework]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) > 20
    assert [name for name, stated_wins, _ in rows if not stated_wins] == []
    assert [name for name, _, default_holds in rows if not default_holds] == []


BOTH = {
    "task_acks_late": False,
    "task_create_missing_queues": True,
    "worker_prefetch_multiplier": 4,
    "broker_connection_retry": False,
}
UNDOING = {
    "redis://127.0.0.1:1/0": {"global_keyprefix": "", "ack_emulation": False, "priority_steps": list(range(10))},
    "amqp://127.0.0.1:1//": {"confirm_publish": False},
}


@pytest.mark.parametrize("broker", UNDOING, ids=["redis", "rabbitmq"])
def test_settings_that_undo_a_promise_are_named(broker, copy):
    copy.write_note_task()
    silent = copy.celery("tasks", "check", CELERY_BROKER_URL=broker)
    assert "undoes" not in silent.stdout
    delivery = {"task_default_delivery_mode": "transient"}
    copy.configure(**BOTH, **delivery, broker_transport_options=UNDOING[broker])
    told = copy.celery("tasks", "check", CELERY_BROKER_URL=broker)
    assert told.returncode == 0, told.stdout + told.stderr
    named = re.findall(r"shop/settings.py:(\d+): (\w+) undoes", told.stdout)
    assert {name for _, name in named} == {*BOTH, *UNDOING[broker], *(delivery if "amqp" in broker else ())}
    lines = (copy.root / "shop/settings.py").read_text().splitlines()
    assert all(name in lines[int(number) - 1].lower() for number, name in named)
