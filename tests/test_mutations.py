"""A mutation that no longer changes anything would go unnoticed until somebody runs all of them."""

import pytest

from scripts.mutations import MUTATIONS


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.promise)
def test_no_mutation_is_stale(baked, mutation):
    assert not mutation.is_stale(baked(framework="plain").package)
