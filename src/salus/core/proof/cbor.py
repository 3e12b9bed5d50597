"""The part of CBOR that COSE needs, deterministic (RFC 8949 section 4.2.1), and nothing else.

Integers below 2^64 in size, byte and text strings, arrays, maps with integer or text keys, null, and the tag of
COSE_Sign1. Decoding refuses whatever would not be encoded to the same bytes: heads that are not the shortest,
indefinite lengths, map keys out of order or twice; and floats, other simple values and other tags.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from salus.core.proof.errors import MalformedProof

MAX_DEPTH: Final = 8  # a receipt nests 4 deep; a parser that recurses needs an end
COSE_SIGN1: Final = 18  # RFC 9052 section 2, the one tag


@dataclass(frozen=True, slots=True)
class Sign1:
    """What stands under tag 18: an array, by RFC 9052 [protected, unprotected, payload, signature]."""

    content: "Value"


Value = int | bytes | str | tuple["Value", ...] | dict["int | str", "Value"] | Sign1 | None


def encode(value: Value) -> bytes:
    """Return the one encoding of a value. Raises ValueError for what has none here."""
    match value:
        case bool():
            raise ValueError("no booleans in this CBOR")
        case int():
            encoded = _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            encoded = _head(2, len(value)) + value
        case str():
            text = value.encode()
            encoded = _head(3, len(text)) + text
        case tuple():
            encoded = _head(4, len(value)) + b"".join(encode(item) for item in value)
        case dict():
            pairs = sorted((encode(key), encode(item)) for key, item in value.items())
            encoded = _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
        case None:
            encoded = b"\xf6"
        case _:
            encoded = _head(6, COSE_SIGN1) + encode(value.content)
    return encoded


def decode(data: bytes) -> Value:
    """Return the value that all of `data` stands for; `encode` gives the same bytes. Raises MalformedProof."""
    value, end = _decode(data, 0, 0)
    if end != len(data):
        raise MalformedProof("bytes after the end of the CBOR")
    return value


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes((major << 5 | code,)) + argument.to_bytes(size, "big")
    raise ValueError("an integer over 64 bits")


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if at >= len(data):
        raise MalformedProof("the CBOR is cut short")
    first = data[at]
    at += 1
    major, argument = first >> 5, first & 31
    if major == 7:
        if argument != 22:
            raise MalformedProof("a float or simple value other than null")
        return None, at
    if argument >= 24:
        argument, at = _long_argument(data, at, argument)
    if major < 2:
        return (-1 - argument if major else argument), at
    if major < 4:
        end = at + argument
        if end > len(data):
            raise MalformedProof("the CBOR is cut short")
        return (data[at:end] if major == 2 else _text(data[at:end])), end
    return _nested(data, at, major, argument, depth + 1)


def _nested(data: bytes, at: int, major: int, argument: int, depth: int) -> tuple[Value, int]:
    if depth > MAX_DEPTH:
        raise MalformedProof("CBOR nested too deep")
    if major == 4:
        return _array(data, at, argument, depth)
    if major == 5:
        return _map(data, at, argument, depth)
    if argument != COSE_SIGN1:
        raise MalformedProof("a tag other than COSE_Sign1")
    content, at = _decode(data, at, depth)
    return Sign1(content), at


def _long_argument(data: bytes, at: int, code: int) -> tuple[int, int]:
    if code > 27:
        raise MalformedProof("a reserved or indefinite length")
    size = 1 << code - 24
    argument = int.from_bytes(data[at : at + size], "big")
    at += size
    if at > len(data):
        raise MalformedProof("the CBOR is cut short")
    if argument < (24 if size == 1 else 1 << 4 * size):
        raise MalformedProof("an integer or length not in its shortest form")
    return argument, at


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedProof("text that is not UTF-8") from None


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    if count > len(data) - at:  # every item takes a byte at least: a count alone cannot ask for memory
        raise MalformedProof("the CBOR is cut short")
    items: list[Value] = []
    for _ in range(count):
        item, at = _decode(data, at, depth)
        items.append(item)
    return tuple(items), at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    if count > len(data) - at:
        raise MalformedProof("the CBOR is cut short")
    items: dict[int | str, Value] = {}
    before = b""
    for _ in range(count):
        start = at
        key, at = _decode(data, at, depth)
        if not isinstance(key, int | str):
            raise MalformedProof("a map key that is neither integer nor text")
        if data[start:at] <= before:
            raise MalformedProof("map keys out of order or twice")
        before = data[start:at]
        items[key], at = _decode(data, at, depth)
    return items, at


def sequence(data: bytes) -> Iterator[Value]:
    """Yield the items of a CBOR sequence (RFC 8742). Raises MalformedProof when it comes to what is none."""
    at = 0
    while at < len(data):
        value, at = _decode(data, at, 0)
        yield value


def label_of(data: bytes) -> str | None:
    """Return the text that is the first item of an array, which is the first item of the data, or None."""
    if not data or not 0x81 <= data[0] <= 0x97:  # every format of ours is an array of 1 to 23 items
        return None
    try:
        label, _ = _decode(data, 1, 1)
    except MalformedProof:
        return None
    return label if isinstance(label, str) else None
