"""Texts and QR codes that people carry between a member and a wallet: a scheme and base64url of MessagePack."""

import base64
from typing import TypeVar

from salus.core.encoding import MalformedBytes, Value, decode, encode

V = TypeVar("V", bound=Value)


def written(scheme: str, value: Value) -> str:
    """Return the text that holds a value: `salus-access:...`."""
    return scheme + base64.urlsafe_b64encode(encode(value)).rstrip(b"=").decode()


def held(text: str, scheme: str, kind: type[V], *, most: int) -> V:
    """Return what a text of at most so many characters holds, with or without its scheme. Raises MalformedBytes."""
    if len(text) > most:
        raise MalformedBytes("too long")
    told = text.strip().removeprefix(scheme)
    try:
        data = base64.urlsafe_b64decode(told + "=" * (-len(told) % 4))
    except ValueError as error:  # no base64url, or no ASCII
        raise MalformedBytes("no base64url") from error
    return decode(data, kind)
