import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.proof import leaf
from salus.core.proof.errors import MalformedProof
from salus.core.proof.merkle import leaf_hash

HASHES = st.binary(min_size=32, max_size=32)
LEAVES = st.one_of(
    st.builds(leaf.TransactionLeaf, HASHES, HASHES, st.integers(0, 2**32 - 1), st.binary(max_size=1024)),
    st.builds(leaf.BlockLeaf, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), HASHES, HASHES),
)


def test_the_layout_byte_by_byte():
    entry = leaf.TransactionLeaf(b"i" * 32, b"s" * 32, 2003, b"data").encode()
    assert entry == b"\x01" + b"i" * 32 + b"s" * 32 + b"\x00\x00\x07\xd3" + b"\x00\x00\x00\x04" + b"data"
    entry = leaf.BlockLeaf(258, 1, b"r" * 32, b"p" * 32).encode()
    assert entry == b"\x02" + bytes(6) + b"\x01\x02" + bytes(7) + b"\x01" + b"r" * 32 + b"p" * 32


@given(LEAVES)
def test_a_leaf_comes_back_as_it_went(one: leaf.Leaf):
    assert leaf.decode(one.encode()) == one
    assert leaf.hash_of(one) == leaf_hash(one.encode())


@given(st.one_of(st.binary(max_size=1200), LEAVES.map(lambda one: one.encode()[:-1])))
def test_bytes_are_a_leaf_or_refused(entry: bytes):
    with contextlib.suppress(MalformedProof):
        assert leaf.decode(entry).encode() == entry


@pytest.mark.parametrize(("tx_id", "signatures", "size"), [(31, 32, 0), (32, 33, 0), (32, 32, 1025)])
def test_a_field_over_its_size_is_not_encoded(tx_id: int, signatures: int, size: int):
    with pytest.raises(ValueError):
        leaf.transaction_entry(bytes(tx_id), bytes(signatures), 0, bytes(size))


def test_the_longest_result_comes_back():
    longest = leaf.TransactionLeaf(bytes(32), bytes(32), 0, bytes(leaf.MAX_RESULT))
    assert leaf.decode(longest.encode()) == longest
