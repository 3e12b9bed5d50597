import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core import log
from salus.core.proof import merkle

HASHES = [merkle.leaf_hash(b"entry %d" % number) for number in range(300)]


@given(st.lists(st.integers(0, 40), max_size=7))
def test_the_frontier_is_the_tree(batches: list[int]):
    frontier, nodes, size = log.Frontier(), {}, 0
    for batch in batches:
        frontier, new = frontier.append(HASHES[size : size + batch])
        assert not nodes.keys() & new.keys()
        nodes.update(new)
        size += batch
        assert (frontier.size, frontier.root()) == (size, merkle.root(HASHES[:size]))
    for (level, index), node in nodes.items():
        assert node == merkle.root(HASHES[index << level : (index + 1) << level])
    assert len(frontier.peaks) == size.bit_count()
    assert len(nodes) == sum(size >> level for level in range(size.bit_length()))


@pytest.mark.parametrize("size", [*range(1, 20), 127, 128, 129, 255])
def test_proofs_from_stored_nodes_are_the_tree_s_of_every_earlier_size(size: int):
    _, nodes = log.Frontier().append(HASHES)

    def read(level: int, index: int) -> bytes:
        return nodes[level, index]

    assert log.root_at(read, size) == merkle.root(HASHES[:size])
    for index in range(size):
        assert log.prove_inclusion(read, index, size) == merkle.inclusion_path(HASHES[:size], index)
    for old in range(size + 1):
        expected = merkle.consistency_path(HASHES[:size], old)
        assert log.prove_consistency(read, old, size) == expected


def test_positions_outside_the_log():
    assert log.root_at(lambda _level, _index: b"", 0) == merkle.EMPTY_ROOT
    for index in (-1, 5):
        with pytest.raises(IndexError):
            log.prove_inclusion(lambda _level, _index: b"", index, 5)
    for old in (-1, 6):
        with pytest.raises(IndexError):
            log.prove_consistency(lambda _level, _index: b"", old, 5)
