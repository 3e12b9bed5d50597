import pytest

from salus.core.proof import batch, merkle
from salus.core.proof.errors import MalformedProof

LEAVES = [bytes([number]) * 32 for number in range(37)]


def test_every_leaf_leads_to_the_root_that_the_anchor_commits():
    root = batch.batch_root(LEAVES)
    assert root == merkle.root([merkle.leaf_hash(leaf) for leaf in LEAVES])
    for index, path in enumerate(batch.batch_paths(LEAVES)):
        assert path == batch.batch_path(LEAVES, index)
        assert batch.root_from_batch(LEAVES[index], index, len(LEAVES), path) == root
        assert batch.root_from_batch(LEAVES[index - 1], index, len(LEAVES), path) != root


def test_a_batch_has_leaves_and_not_too_many():
    for leaves in ([], [b"x" * 32] * (batch.MAX_LEAVES + 1)):
        with pytest.raises(ValueError):
            batch.batch_root(leaves)
    with pytest.raises(MalformedProof):
        batch.root_from_batch(LEAVES[0], 0, batch.MAX_LEAVES + 1, [])
