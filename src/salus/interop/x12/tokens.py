"""Bytes to segments and back, streaming, without losing a byte.

Text is read as ISO 8859-1, which gives every byte a character and back, so that what was not changed is written
as it came; whether a character is allowed is a question of level 1. Separators are taken from the ISA segment,
whose 106 characters have a fixed width.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from salus.core.errors import SalusError
from salus.interop.x12.foreign import named

ISA_LENGTH: Final = 106
ISA_WIDTHS: Final = (3, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
SEGMENT_LIMIT: Final = 1 << 16  # the longest lawful segment has some 3,000 characters; beyond this no terminator comes
TOGETHER: Final = 256  # segments cut at a time: what they take is small beside a chunk, what it saves does not grow
BLANK: Final = " \t\r\n\x1a\xef\xbb\xbf"


class Unreadable(SalusError):
    """Bytes that cannot be cut into segments. `rule` names the fault, `position` counts the segments read before."""

    def __init__(self, rule: str, position: int, expected: str) -> None:
        self.rule = rule
        self.position = position
        self.expected = expected
        super().__init__(f"{rule} after segment {position}: expected {expected}")


class Delimiters(msgspec.Struct, frozen=True):
    """The four characters that an interchange uses."""

    element: str = "*"
    repetition: str = "^"
    component: str = ":"
    terminator: str = "~"


_STAR: Final = Delimiters().element


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One segment: its text without terminator, cut into elements (`elements[0]` is the tag)."""

    tag: str
    text: str
    elements: list[str]
    position: int
    """Ordinal in the file, from 1."""
    lead: str = ""
    """Characters between the terminator before and the tag: line ends, a byte-order mark."""

    def get(self, number: int) -> str:
        """Return element `number` (1 is the first after the tag), empty if the segment is shorter."""
        return self.elements[number] if number < len(self.elements) else ""


def segment(*elements: str, delimiters: Delimiters | None = None) -> Segment:
    """Make a segment; empty elements at the end are left out, as X12 asks."""
    kept = list(elements)
    while not kept[-1]:
        kept.pop()
    return Segment(kept[0], (_STAR if delimiters is None else delimiters.element).join(kept), kept, 0)


def delimiters_of(header: str, position: int = 0) -> Delimiters:
    """Read the separators from an ISA segment with its terminator. Raises Unreadable unless its widths are right."""
    element = header[3]
    parts = header[: ISA_LENGTH - 1].split(element)
    if len(header) < ISA_LENGTH or tuple(map(len, parts)) != ISA_WIDTHS:
        raise Unreadable("isa-width", position, "an ISA segment of 106 characters with elements of fixed width")
    found = Delimiters(element, header[82], header[104], header[105])
    used = (found.element, found.component, found.terminator)
    if len(set(used)) != 3 or any(sign.isalnum() or sign == " " for sign in used):
        raise Unreadable("isa-separators", position, "three different separators that are no letter, digit or space")
    return found


def tokenize(chunks: Iterable[bytes]) -> Iterator[tuple[Segment, Delimiters]]:
    """Cut chunks of bytes into segments, each with the separators in force. Keeps one chunk and `TOGETHER` segments.

    Blanks after the last terminator come as a last segment without tag and terminator. Raises Unreadable where no ISA stands at the start, its separators are unusable, a segment has no end
    within `SEGMENT_LIMIT`, or the bytes end inside a segment.
    """
    for segments, delimiters in blocks(chunks):
        for part in segments:
            yield part, delimiters


def blocks(chunks: Iterable[bytes]) -> Iterator[tuple[list[Segment], Delimiters]]:
    """As `tokenize`, some segments at a time that have the same separators."""
    cutter = Cutter()
    for chunk in chunks:
        yield from cutter.cut(chunk.decode("latin-1"))
    yield from cutter.end()


class Cutter:
    """Cuts text that comes in pieces."""

    def __init__(self) -> None:
        self._delimiters: Delimiters | None = None
        self._pending = ""
        self._position = 0

    @property
    def started(self) -> bool:
        """Whether any text came."""
        return self._delimiters is not None or bool(self._pending)

    def fork(self) -> "Cutter":
        """Return another that was given the same and goes on by itself."""
        other = Cutter()
        other._delimiters, other._pending, other._position = self._delimiters, self._pending, self._position
        return other

    def cut(self, text: str) -> Iterator[tuple[list[Segment], Delimiters]]:
        """Take more text; give the segments that it completes."""
        self._pending += text
        while (delimiters := self._known()) is not None:
            *whole, rest = self._pending.split(delimiters.terminator)
            next_header = self._next_header(whole)
            if next_header is not None:
                rest = delimiters.terminator.join([*whole[next_header:], rest])
                whole = whole[:next_header]
            self._pending = rest
            for start in range(0, len(whole), TOGETHER):
                yield self._segments(whole[start : start + TOGETHER], delimiters.element), delimiters
            if next_header is None and not (whole and rest[:64].lstrip(BLANK)[:3] == "ISA"):
                break
        if len(self._pending) > SEGMENT_LIMIT:
            raise Unreadable("segment-length", self._position, f"a terminator within {SEGMENT_LIMIT} characters")

    def _known(self) -> Delimiters | None:
        """Return the separators of what comes next: those of the ISA if one does; None if more text is needed."""
        start = self._pending[: ISA_LENGTH + 64].lstrip(BLANK)
        if start[:3] == "ISA":
            if len(start) < ISA_LENGTH:
                return None
            self._delimiters = delimiters_of(start[:ISA_LENGTH], self._position)
        elif self._delimiters is None and len(start) >= 3:
            what = named(start)
            begins = f"ISA at the start of the file; this one is {what}" if what else "ISA at the start of the file"
            raise Unreadable("isa-missing", self._position, begins)
        return self._delimiters

    def _next_header(self, parts: list[str]) -> int | None:
        """Return the place of the next ISA after the first part: its separators are its own."""
        if not parts or self._pending.find("ISA", len(parts[0])) < 0:
            return None
        for number, part in enumerate(parts):
            if number and "ISA" in part[:64] and part.lstrip(BLANK)[:3] == "ISA":
                return number
        return None

    def _segments(self, parts: list[str], separator: str) -> list[Segment]:
        made = []
        for position, part in enumerate(parts, self._position + 1):
            text = part.lstrip(BLANK)
            elements = text.split(separator)
            made.append(Segment(elements[0], text, elements, position, part[: len(part) - len(text)]))
        self._position += len(parts)
        return made

    def end(self) -> Iterator[tuple[list[Segment], Delimiters]]:
        """Give the blanks after the last terminator; refuse an end inside a segment."""
        if self._delimiters is None and not self._pending.strip(BLANK):
            raise Unreadable("isa-missing", self._position, "ISA at the start of the file; this one is empty")
        if self._pending.strip(BLANK) or self._delimiters is None:
            rule = "truncated" if self._delimiters else "isa-missing"
            raise Unreadable(rule, self._position, "a file that starts with ISA and ends with a terminated IEA")
        if self._pending:
            tail = Segment("", "", [""], self._position, self._pending)
            yield [tail], msgspec.structs.replace(self._delimiters, terminator="")


def write(segments: Iterable[tuple[Segment, Delimiters]]) -> Iterator[bytes]:
    """Write segments as they were read: what `tokenize` gave comes back byte for byte."""
    for part, delimiters in segments:
        yield f"{part.lead}{part.text}{delimiters.terminator}".encode("latin-1")
