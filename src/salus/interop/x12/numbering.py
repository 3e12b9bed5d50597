"""Control numbers of interchanges: which file carries which, so that none is taken twice and a missing one is noticed.

ISA13 is a sender's own count for one receiver. The same number with the same bytes is the same interchange sent again;
with other bytes it is refused, TA1 note code 025.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from salus.core.proof.digest import framed
from salus.interop.x12.tokens import Delimiters, Segment, tokenize, write

DUPLICATE: Final = "025"


class Numbered(msgspec.Struct, frozen=True):
    """One interchange by its number."""

    header: Segment
    delimiters: Delimiters
    content: bytes
    """Digest of its bytes, from ISA to IEA."""

    @property
    def ends(self) -> str:
        """Whose count it is, and for whom."""
        get = self.header.get
        return f"{get(5)}:{get(6).rstrip()}>{get(7)}:{get(8).rstrip()}"

    @property
    def control(self) -> int:
        """ISA13; 0 where it is no number."""
        return int(self.header.get(13)) if self.header.get(13).isdecimal() else 0


def numbered(chunks: Iterable[bytes]) -> Iterator[Numbered]:
    """Yield the interchanges of a file. Raises Unreadable."""
    open_: tuple[Segment, Delimiters] | None = None
    content = hashlib.sha256()
    for part, delimiters in tokenize(chunks):
        if part.tag == "ISA":
            if open_ is not None:
                yield Numbered(*open_, content.digest())
            open_, content = (part, delimiters), hashlib.sha256(framed("salus/v1/x12-interchange", ()))
        if part.tag:
            for text in write([(msgspec.structs.replace(part, lead=""), delimiters)]):
                content.update(len(text).to_bytes(4, "big"))  # as `framed` does with all of them in memory
                content.update(text)
    if open_ is not None:
        yield Numbered(*open_, content.digest())


def skipped(highest: int, control: int) -> str:
    """Return the numbers between the highest one seen and this one, as people write them; empty where none is missing."""
    first, last = highest + 1, control - 1
    if first > last:
        return ""
    return f"{first:09d}" if first == last else f"{first:09d} to {last:09d}"
