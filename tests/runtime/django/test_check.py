"""`manage.py check --deploy` names broken task files, as `celery tasks check` does."""

import pytest

CHECK = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "PACKAGE.settings"
import django
from django.core.management import CommandError, call_command
django.setup()
try:
    call_command("check", *OPTIONS)
except CommandError as error:
    print(error)
"""


@pytest.mark.parametrize("options", [["--deploy"], []])
def test_broken_task_files_are_named_before_a_deployment_only(copy, options):
    copy.write("ex1_broken.py", "import json\nimport no_such_package\n")
    told = copy.run(CHECK.replace("OPTIONS", repr(options)))
    for part in ("ex1_broken.py:2: ", "No module named 'no_such_package'", "uv add no_such_package"):
        assert (part in told) == bool(options), told
