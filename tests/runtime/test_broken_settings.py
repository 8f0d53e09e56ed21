"""Settings that cannot be imported are told in one line, which names the file at fault."""

import pytest


def assert_told_in_a_line(copy, told):
    for command in (("tasks", "check"), ("worker",), ("beat",), ("queues",)):
        done = copy.celery(*command)
        assert done.returncode == 1, done.stdout
        assert done.stderr.splitlines()[-1] == told.replace("PACKAGE", copy.package)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("file", ["settings.py", "queues.py", "schedule.py"])
def test_settings_that_are_broken_are_one_line(copy, file):
    path = copy.root / copy.package / file
    path.write_text(path.read_text() + "\nprint(misspelt)\n")
    number = len(path.read_text().splitlines())
    assert_told_in_a_line(
        copy, f"error: PACKAGE/{file}:{number}: NameError: name 'misspelt' is not defined. Correct this line."
    )
