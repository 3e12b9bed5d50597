"""Reading the MessagePack that Salus writes: transactions and journal lines.

Values are only looked at, never re-encoded: what is hashed is the bytes as they came. Floats, maps with other than
text keys and extensions are refused.
"""

import struct
from typing import Final

from salus.core.proof.errors import MalformedProof

MAX_DEPTH: Final = 32  # messages nest fewer than ten deep

Value = int | bytes | str | bool | tuple["Value", ...] | dict[str, "Value"] | None

_CONSTANTS: Final[dict[int, bool | None]] = {0xC0: None, 0xC2: False, 0xC3: True}
_UNSIGNED: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_SIGNED: Final = {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
_BYTES: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_TEXT: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAY: Final = {0xDC: 2, 0xDD: 4}
_MAP: Final = {0xDE: 2, 0xDF: 4}


def read(data: bytes) -> Value:
    """Return the value that all of `data` stands for. Raises MalformedProof."""
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise MalformedProof("bytes after the end of the MessagePack")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise MalformedProof("MessagePack nested too deep")
        first = self._take(1)[0]
        if first < 0x80 or first >= 0xE0:
            return first if first < 0x80 else first - 0x100
        if first < 0x90:
            return self._map(first & 15, depth)
        if first < 0xA0:
            return self._array(first & 15, depth)
        if first < 0xC0:
            return self._text(first & 31)
        if first in _CONSTANTS:
            return _CONSTANTS[first]
        return self._long(first, depth)

    def _long(self, first: int, depth: int) -> Value:
        if first in _UNSIGNED:
            return self._number(_UNSIGNED[first])
        if first in _SIGNED:
            number: int = struct.unpack(_SIGNED[first], self._take(struct.calcsize(_SIGNED[first])))[0]
            return number
        if first in _BYTES:
            return self._take(self._number(_BYTES[first]))
        if first in _TEXT:
            return self._text(self._number(_TEXT[first]))
        if first in _ARRAY:
            return self._array(self._number(_ARRAY[first]), depth)
        if first in _MAP:
            return self._map(self._number(_MAP[first]), depth)
        raise MalformedProof("a float or extension in MessagePack")

    def _take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self._data):
            raise MalformedProof("the MessagePack is cut short")
        taken = self._data[self.at : end]
        self.at = end
        return taken

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _text(self, count: int) -> str:
        try:
            return self._take(count).decode()
        except UnicodeDecodeError:
            raise MalformedProof("text that is not UTF-8") from None

    def _array(self, count: int, depth: int) -> Value:
        return tuple([self.value(depth + 1) for _ in range(count)])

    def _map(self, count: int, depth: int) -> Value:
        items: dict[str, Value] = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if not isinstance(key, str) or key in items:
                raise MalformedProof("a map key that is no text, or twice")
            items[key] = self.value(depth + 1)
        return items
