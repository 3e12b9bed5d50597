import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.proof import msgpack
from salus.core.proof.errors import MalformedProof

VALUES = st.recursive(
    st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=300) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=20).map(tuple) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
    max_leaves=10,
)


@given(VALUES)
def test_another_library_s_values_are_read(value: msgpack.Value):
    assert msgpack.read(msgspec.msgpack.encode(value)) == value


def test_the_ends_of_each_head_of_a_number():
    ends = {end for bits in (5, 7, 8, 15, 16, 31, 32, 63) for end in (2**bits - 1, 2**bits, -(2**bits), -(2**bits) - 1)}
    for number in ends - {-(2**63) - 1} | {2**64 - 1}:
        assert msgpack.read(msgspec.msgpack.encode(number)) == number


def test_the_longest_heads():
    for size in (300, 70_000):
        for value in (b"b" * size, "t" * size, tuple(range(size)), {str(number): number for number in range(size)}):
            assert msgpack.read(msgspec.msgpack.encode(value)) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_the_named_error(data: bytes):
    with contextlib.suppress(MalformedProof):
        msgpack.read(data)


@pytest.mark.parametrize(
    "data", ["", "ca00000000", "c70000", "81c001", "82a16101a16102", "a1ff", "0000", "dd" + "ff" * 4, "91" * 40 + "00"]
)
def test_what_is_never_written_is_refused(data: str):
    with pytest.raises(MalformedProof):
        msgpack.read(bytes.fromhex(data))
