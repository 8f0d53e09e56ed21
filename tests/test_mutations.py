"""A mutation that changes nothing, or makes of its file what no Python can read, would prove nothing."""

import pytest

from scripts.mutations import MUTATIONS


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.promise)
def test_no_mutation_is_stale(baked, mutation):
    assert not mutation.is_stale(baked(framework="plain"))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.promise)
def test_what_is_mutated_can_still_be_read(baked, mutation):
    source = mutation.path(baked(framework="plain")).read_text()
    if mutation.file.endswith(".lua"):
        return  # read by Redis alone
    compile(source.replace(mutation.old, mutation.new), mutation.file, "exec")
