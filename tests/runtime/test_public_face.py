"""The names that task files and settings import: they stay, and a bare import of the library is cheap."""

import importlib
import re
import subprocess
import sys

import pytest

import celery_runtime

PUBLIC = [
    "RULES",
    "Celery",
    "ConfigurationError",
    "DeadLetter",
    "Fail",
    "PermanentError",
    "Priority",
    "Retry",
    "Task",
    "TransientError",
    "Verdict",
    "Wait",
    "by_name",
    "classify",
    "handling",
    "priority_queue",
]
# What settings.py and celery_config.py of a project import beside them.
OF_SETTINGS = {
    "celery_runtime.app": ["Celery"],
    "celery_runtime.brokers.urls": ["broker_url", "results_url"],
    "celery_runtime.environment": ["flag", "is_development", "names", "positive_integer", "required", "text"],
    "celery_runtime.retry.task": ["Task"],
}


def test_these_names_and_no_others_are_public():
    assert sorted(celery_runtime.__all__) == sorted(PUBLIC)
    assert re.fullmatch(r"\d+\.\d+\.\d+", celery_runtime.__version__)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_what_its_module_defines(name):
    thing = getattr(celery_runtime, name)
    if name != "RULES":
        assert getattr(sys.modules[thing.__module__], name) is thing


def test_another_name_is_an_error_that_says_so():
    with pytest.raises(AttributeError, match="module 'celery_runtime' has no attribute 'Retyr'"):
        celery_runtime.Retyr  # noqa: B018


@pytest.mark.parametrize("module", OF_SETTINGS)
def test_what_settings_import_is_there(module):
    imported = importlib.import_module(module)
    assert [name for name in OF_SETTINGS[module] if not hasattr(imported, name)] == []


def test_a_bare_import_loads_nothing_else():
    code = "import sys, celery_runtime; print([name for name in sys.modules if name.startswith('celery')])"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed == "['celery_runtime']\n"
