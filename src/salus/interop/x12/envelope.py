"""Wraps transaction sets into a group and an interchange. Control numbers, day and time are the caller's."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from salus.interop.x12.tokens import Delimiters, Segment, segment

DELIMITERS: Final = Delimiters()
WRITTEN: Final = frozenset((DELIMITERS.element, DELIMITERS.component, DELIMITERS.repetition, DELIMITERS.terminator))
"""The separators that all is written with."""
TOGETHER: Final = 1_000  # segments held before their text is written


class Trader(msgspec.Struct, frozen=True):
    """One end of an interchange."""

    qualifier: str
    """ISA05 or ISA07: ZZ mutually defined, 30 tax number."""
    identifier: str
    """At most 15 characters."""


class Stamp(msgspec.Struct, frozen=True):
    """What one interchange is told by; the caller never uses a control number twice for one receiver."""

    day: str
    """CCYYMMDD."""
    time: str
    """HHMM."""
    control: int
    """ISA13 and GS06, 1 to 999999999."""
    usage: str = "P"
    """ISA15: P production, T test."""


def plain(text: str) -> str:
    """Put spaces for separators and characters that X12 does not know: what a sender wrote is told back, come what may."""
    if text.isalnum() and text.isascii():
        return text
    return "".join(sign if " " <= sign <= "~" and sign not in WRITTEN else " " for sign in text)


def words(text: str, most: int = 60) -> str:
    """Return free text fit for an element: no separators, no foreign characters, at most `most` characters."""
    if text.isalnum() and text.isascii():
        return text[:most]
    return " ".join(plain(text).split())[:most].rstrip()


def composite(*parts: str) -> str:
    """Join components; empty ones at the end are left out."""
    return DELIMITERS.component.join(parts).rstrip(DELIMITERS.component)


def _header(sender: Trader, receiver: Trader, stamp: Stamp) -> str:
    return DELIMITERS.element.join(
        (
            "ISA",
            "00",
            " " * 10,
            "00",
            " " * 10,
            plain(sender.qualifier),
            plain(sender.identifier)[:15].ljust(15),
            plain(receiver.qualifier),
            plain(receiver.identifier)[:15].ljust(15),
            stamp.day[2:],
            stamp.time,
            DELIMITERS.repetition,
            "00501",
            f"{stamp.control:09d}",
            "0",
            stamp.usage,
            DELIMITERS.component,
        )
    )


def _text(lines: list[str]) -> bytes:
    end = f"{DELIMITERS.terminator}\n"
    return (end.join(lines) + end).encode("ascii")


def interchange(
    ends: tuple[Trader, Trader], stamp: Stamp, function: str, version: str, sets: Iterable[Iterable[Segment]]
) -> bytes:
    """Write one interchange of one group; each set begins with its ST and gets its SE here. `ends`: sender, receiver."""
    return b"".join(interchange_parts(ends, stamp, function, version, sets))


def interchange_parts(
    ends: tuple[Trader, Trader], stamp: Stamp, function: str, version: str, sets: Iterable[Iterable[Segment]]
) -> Iterator[bytes]:
    """Yield the text of an interchange piece by piece, its sets made while it is written."""
    sender, receiver = ends
    header = segment(
        "GS",
        function,
        plain(sender.identifier),
        plain(receiver.identifier),
        stamp.day,
        stamp.time,
        str(stamp.control),
        "X",
        version,
    )
    lines, written = [_header(sender, receiver, stamp), header.text], 0
    for body in sets:
        written += 1
        count, control = 1, ""
        for part in body:
            control = part.get(2) if count == 1 else control
            count += 1
            lines.append(part.text)
            if len(lines) >= TOGETHER:
                yield _text(lines)
                lines.clear()
        lines.append(segment("SE", str(count), control).text)
    lines.append(segment("GE", str(written), str(stamp.control)).text)
    lines.append(segment("IEA", "1", f"{stamp.control:09d}").text)
    yield _text(lines)


def bare(sender: Trader, receiver: Trader, stamp: Stamp, parts: list[Segment]) -> bytes:
    """Write an interchange without a group: what carries TA1 segments."""
    trailer = segment("IEA", "0", f"{stamp.control:09d}").text
    return _text([_header(sender, receiver, stamp), *(part.text for part in parts), trailer])


def traders(header: Segment) -> tuple[Trader, Trader]:
    """Return sender and receiver of an ISA segment."""
    return Trader(header.get(5), header.get(6).rstrip()), Trader(header.get(7), header.get(8).rstrip())
