"""A mutation that changes nothing, or makes of its file what no Python can read, would prove nothing."""

import re
import sys

import pytest

from scripts.mutations import MUTATIONS, RUNTIME_TESTS


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.promise)
def test_no_mutation_is_stale(baked, mutation):
    assert not mutation.is_stale(baked(framework="plain"))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.promise)
def test_what_is_mutated_can_still_be_read(baked, mutation):
    source = mutation.path(baked(framework="plain")).read_text()
    if mutation.file.endswith(".lua"):
        return  # read by Redis alone
    compile(source.replace(mutation.old, mutation.new), mutation.file, "exec")


@pytest.fixture(scope="module")
def ids(baked) -> list[str]:
    """What the tests of the library and those of a project are called, in lower case, as `-k` compares them."""
    project = baked(framework="plain")
    found: list[str] = []
    for folder in (project.path / "tests", RUNTIME_TESTS):
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", folder]
        done = project.run(*command, "-p", "no:cacheprovider", cwd=folder, check=True)
        found += [line.lower() for line in done.stdout.splitlines() if "::" in line]
    return found


@pytest.mark.parametrize("selection", sorted({mutation.tests for mutation in MUTATIONS}))
def test_what_is_selected_is_there(ids, selection):
    fits = re.sub(r"\b(?!(?:and|or|not)\b)\w+", lambda word: f"({word[0].lower()!r} in name)", selection)
    assert any(eval(fits, {"name": name}) for name in ids)
