import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.proof import cbor
from salus.core.proof.errors import MalformedProof

WHOLE = st.integers(-(2**64), 2**64 - 1)
VALUES = st.recursive(
    WHOLE | st.binary(max_size=300) | st.text(max_size=40) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(WHOLE | st.text(max_size=5), inner, max_size=5)
        | inner.map(cbor.Sign1)
    ),
    max_leaves=8,
)


def foreign(value: cbor.Value) -> object:
    """The value as another CBOR library takes it."""
    match value:
        case tuple():
            return [foreign(item) for item in value]
        case dict():
            return {key: foreign(item) for key, item in value.items()}
        case cbor.Sign1():
            return cbor2.CBORTag(18, foreign(value.content))
    return value


def depth(value: cbor.Value) -> int:
    match value:
        case tuple():
            return 1 + max(map(depth, value), default=0)
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
        case cbor.Sign1():
            return 1 + depth(value.content)
    return 0


@given(VALUES.filter(lambda value: depth(value) <= cbor.MAX_DEPTH))
def test_values_come_back_as_they_went(value: cbor.Value):
    assert cbor.decode(cbor.encode(value)) == value


@given(
    st.recursive(
        WHOLE | st.binary(max_size=300) | st.text(max_size=40) | st.none(),
        lambda inner: st.lists(inner, max_size=5).map(tuple),
    )
)
def test_another_library_encodes_alike(value: cbor.Value):
    assert cbor.encode(value) == cbor2.dumps(foreign(value), canonical=True)


@given(st.binary(max_size=60))
def test_bytes_are_a_value_with_these_very_bytes_or_refused(data: bytes):
    with contextlib.suppress(MalformedProof):
        assert cbor.encode(cbor.decode(data)) == data


@pytest.mark.parametrize(
    "data",
    [
        "",
        "1817",  # 23 in two bytes
        "190017",
        "1b00000000ffffffff",
        "18",
        "4261",
        "61ff",
        "5f4161ff",  # indefinite
        "9f01ff",
        "a20201" + "0101",  # keys out of order
        "a20101" + "0101",  # a key twice
        "a14101" + "01",  # a key of bytes
        "a1",
        "8201",
        "9bffffffffffffffff",  # an array that asks for all memory
        "bbffffffffffffffff",
        "f4",  # false
        "f97e00",  # NaN
        "c101",  # a time tag
        "0000",  # bytes after the end
        "81" * 9 + "00",  # deeper than allowed
        "1c",
    ],
)
def test_what_is_not_deterministic_or_not_needed_is_refused(data: str):
    with pytest.raises(MalformedProof):
        cbor.decode(bytes.fromhex(data))


def test_the_deepest_value():
    assert cbor.decode(bytes.fromhex("81" * 8 + "00"))


@pytest.mark.parametrize("value", [True, 2**64, -(2**64) - 1])
def test_what_has_no_encoding(value: int):
    with pytest.raises(ValueError):
        cbor.encode(value)


def test_a_map_comes_back_in_its_order_and_no_longer_than_its_bytes():
    told = {1: b"x", 2: ("y", None), "name": {-1: 7}}
    data = cbor.encode(told)
    assert cbor.decode(data) == told
    for end in range(len(data)):
        with pytest.raises(MalformedProof):
            cbor.decode(data[:end])
