"""The one encoding of what is signed, hashed or stored: msgpack with one set of bytes for each value.

Decoding is strict: bytes that do not re-encode to themselves are refused, so that a value has one digest and a
digest one value. Hashing is nevertheless always over the received bytes, never over a re-encoding.
"""

from typing import Any, TypeVar

import msgspec

from salus.core.errors import SalusError

T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}  # one for each type: building one costs more than using it


class MalformedBytes(SalusError):
    """Bytes that are not the encoding of the expected type. Says where, never what stood there."""


class Value(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is encoded as a fixed-order array: transactions, state rows, sealed documents."""


class Message(Value, frozen=True):
    """What a transaction asks for. Each message has a tag `contract.name` that stands first in its array."""


def encode(value: object) -> bytes:
    """Return the bytes of `value`."""
    return _encoder.encode(value)


def decode(data: bytes, kind: type[T]) -> T:
    """Return the value of type `kind` in `data`.

    Raises MalformedBytes if `data` is not msgpack, has another shape, or is not the canonical encoding.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        value: T = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBytes(str(error)) from error
    if _encoder.encode(value) != data:
        raise MalformedBytes("not the canonical encoding of the value")
    return value
