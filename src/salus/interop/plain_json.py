"""JSON from which nothing comes that cannot be written again."""

import re
from typing import Final

import msgspec

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def has_half_characters(data: bytes) -> bool:
    """Say whether JSON in UTF-8 that was parsed escapes half a surrogate pair: no character, and no encoding writes it."""
    if _SURROGATE.search(data) is None:
        return False
    try:
        msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except msgspec.DecodeError:
        return True
    return False
