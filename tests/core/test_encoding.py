"""One value, one set of bytes."""

from typing import Union

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.core.encoding import MalformedBytes, Value, decode, encode


class Small(Value, frozen=True, tag="small"):
    number: int
    data: bytes = b""


class Other(Value, frozen=True, tag="other"):
    text: str


EITHER = Union[Small, Other]  # noqa: UP007 - as the registry makes it


@given(st.integers(-(2**63), 2**64 - 1), st.binary(max_size=300))
def test_a_value_comes_back(number, data):
    assert decode(encode(Small(number, data)), EITHER) == Small(number, data)


@given(st.binary(max_size=60))
def test_bytes_are_a_value_that_encodes_to_them_or_malformed(data):
    try:
        value = decode(data, EITHER)
    except MalformedBytes:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(["small", 1, b"", 0]),  # one field more
        msgspec.msgpack.encode(["small"]),
        msgspec.msgpack.encode(["small", 1]),  # a default left out: a second form of the same value
        msgspec.msgpack.encode(["large", 1, b""]),
        msgspec.msgpack.encode(["other", 1]),
        msgspec.msgpack.encode({"type": "small", "number": 1, "data": b""}),
        encode(Small(1)) + b"\0",
        b"\x93\xa5small\xcc\x01\xc4\x00",  # 1 in two bytes
        b"\x93\xd9\x05small\x01\xc4\x00",  # the tag with a longer head
        b"\x92\xa5other\xa1\xff",  # not UTF-8
        b"\x91" * 5000,
    ],
)
def test_a_second_form_of_a_value_is_malformed(data):
    with pytest.raises(MalformedBytes):
        decode(data, EITHER)
