"""Reads a file as it streams and says what stands in it: claims one by one, sets, groups, interchanges.

The five passes run in order. Levels 1 and 2 speak of a transaction set, whose refusal is the 999's; levels 3 to 5
speak of one claim, whose refusal is the 277CA's, while the others go on. Memory holds one claim and what surrounds it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, Self

import msgspec

from salus.interop.x12 import level1, level2, level3, level4, level5
from salus.interop.x12.codes import BUILT_IN, CodeSets
from salus.interop.x12.findings import NOTE, Finding
from salus.interop.x12.guides import guide_for
from salus.interop.x12.loops import Loop, Placer
from salus.interop.x12.tables import Guide, SegmentUse
from salus.interop.x12.tokens import BLANK, ISA_LENGTH, Cutter, Delimiters, Segment, Unreadable

_ENVELOPE = frozenset({"ISA", "IEA", "GS", "GE", "ST", "SE", ""})
HEADS: Final = 64  # heads remembered, of some 20 KB each when read: one for each submission under way
HEAD_LIMIT: Final = 4096  # characters of a head that is remembered; most have some 700
FINDINGS_LIMIT = 1000  # of one set: what comes after a thousand faults helps nobody and would fill memory


class SetHead(msgspec.Struct, frozen=True):
    """Where a transaction set stands: its interchange, group and own header."""

    interchange: Segment
    group: Segment
    header: Segment
    delimiters: Delimiters
    guide: Guide | None


class UnitSeen(msgspec.Struct, frozen=True):
    """One claim (837), claim payment (835) or member (834), complete, with findings of levels 3 to 5."""

    head: SetHead
    loop: Loop
    findings: tuple[Finding, ...]


class SetSeen(msgspec.Struct, frozen=True):
    """One transaction set at its end. `findings` are of levels 1 and 2, and of 3 to 5 where no unit carries them."""

    head: SetHead
    root: Loop | None
    units: int
    findings: tuple[Finding, ...]
    envelope: tuple[str, ...]
    """Codes of IK502 to IK506 for faults of the set as a whole."""


class GroupSeen(msgspec.Struct, frozen=True):
    """One functional group at its end."""

    interchange: Segment
    header: Segment
    sets: int
    told: str
    """Number of sets that GE01 tells."""
    envelope: tuple[str, ...]
    """Codes of AK905 to AK909."""


class InterchangeSeen(msgspec.Struct, frozen=True):
    """One interchange at its end. `code` is the TA1's: 000 where nothing is wrong."""

    header: Segment
    delimiters: Delimiters
    code: str
    findings: tuple[Finding, ...]


Event = UnitSeen | SetSeen | GroupSeen | InterchangeSeen


def examine(
    chunks: Iterable[bytes], *, codes: CodeSets | None = BUILT_IN, received: str = "", keep: bool = False
) -> Iterator[Event]:
    """Yield what a file holds, in order.

    `received` is the day it came (CCYYMMDD), which no service may lie after; empty: the day its group was written.
    `keep` leaves the units in their set's tree. Raises Unreadable if no interchange can be read at all; bytes that
    end early or turn unreadable later close the interchange with the TA1 code 023 or 022.
    """
    reader, cutter = _Reader(codes, received, keep=keep), Cutter()
    try:
        for chunk in chunks:
            text = chunk.decode("latin-1")
            if not cutter.started and (head := _head_of(text)) and (known := _read_head(head, keep=keep)) is not None:
                reader, cutter, text = known[0].fork(codes, received), known[1].fork(), text[len(head) :]
            for segments, delimiters in cutter.cut(text):
                yield from reader.take(segments, delimiters)
        for segments, delimiters in cutter.end():
            yield from reader.take(segments, delimiters)
    except Unreadable as broken:
        if reader.interchange is None:
            raise
        yield from reader.end("023" if broken.rule == "truncated" else "022", broken.rule, broken.expected)
    yield from reader.end("023", "truncated", "IEA at the end")


def _head_of(text: str) -> str:
    """Return a file's beginning up to its second level (HL), which its claims share; empty where it has none."""
    if text[:3] != "ISA" or len(text) < ISA_LENGTH:
        return ""
    element = text[3]
    level = text.find(f"HL{element}2{element}", ISA_LENGTH, HEAD_LIMIT)
    end = text.rfind(text[ISA_LENGTH - 1], 0, level) + 1 if level > 0 else 0
    return "" if text[end:level].strip(BLANK) else text[:end]


@lru_cache(maxsize=HEADS)
def _read_head(text: str, *, keep: bool) -> "tuple[_Reader, Cutter] | None":
    """Return what has read a file's head and is to be forked for the rest; None where the head by itself is an event.

    The claims of one submission come as files of their own under the same head: it is read and checked once.
    """
    reader, cutter = _Reader(BUILT_IN, "", keep=keep), Cutter()
    try:
        for segments, delimiters in cutter.cut(text):
            for _ in reader.take(segments, delimiters):
                return None
    except Unreadable:
        return None  # whoever reads the whole file says where
    return reader, cutter


class _Reader:
    def __init__(self, codes: CodeSets | None, received: str, *, keep: bool) -> None:
        self._codes = codes
        self._received = received
        self._keep = keep
        self._delimiters = Delimiters()
        self.interchange: Segment | None = None
        self._group: Segment | None = None
        self.inside: _SetReader | None = None
        self._groups = self._sets = 0
        self._numbers: set[str] = set()
        self._faults: list[Finding] = []
        self._code = "000"

    def fork(self, codes: CodeSets | None, received: str) -> Self:
        """Return another reader that has read the same and goes on by itself, under these codes and this day."""
        other = self.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._codes, other._received = codes, received  # noqa: SLF001 -- of its own class
        other._numbers, other._faults = set(self._numbers), list(self._faults)  # noqa: SLF001 -- of its own class
        if self.inside is not None and self._group is not None:
            other.inside = self.inside.fork(codes, received or self._group.get(4))
        return other

    def take(self, segments: list[Segment], delimiters: Delimiters) -> Iterator[Event]:
        """Take the next segments."""
        for segment in segments:
            if self.inside is not None and segment.tag not in _ENVELOPE:
                units = self.inside.feed(segment)
                if units:
                    yield from units
            elif segment.tag or delimiters.terminator:
                yield from self.feed(segment, delimiters)

    def feed(self, segment: Segment, delimiters: Delimiters) -> Iterator[Event]:
        """Take the next segment of the envelope."""
        tag = segment.tag
        if tag == "ISA":
            yield from self.end("023", "truncated", "IEA before the next ISA")
            self._open(segment, delimiters)
        elif tag == "IEA":
            yield from self._close(segment)
        elif tag == "GS":
            yield from self._end_group("3")
            self._group, self._sets, self._numbers = segment, 0, set()
            self._groups += 1
            self._check_control(segment)
        elif tag == "GE":
            self._check_control(segment)
            yield from self._end_group("", segment)
        elif tag == "ST" and self._group is not None and self.interchange is not None:
            yield from self._end_set("2")
            self._open_set(self.interchange, self._group, segment)
        elif tag == "SE" and self.inside is not None:
            yield from self._end_set("", segment)
        elif self.inside is not None:
            yield from self.inside.feed(segment)
        elif tag != "TA1":
            self._outside(segment)

    def _outside(self, segment: Segment) -> None:
        """Tell of a segment that stands where only the envelope's may; of those that follow it, nothing."""
        if self._faults and self._faults[-1].rule in {"control-structure", "separator"}:
            return
        element = self._delimiters.element
        if segment.tag.startswith("GS") and element not in segment.text:
            fix = "use one separator throughout, the fourth character of ISA"
            self._fault("022", segment, "separator", f"{element} between elements, as in ISA", fix)
        else:
            fix = "begin groups with GS and sets with ST, and leave nothing between them"
            self._fault("022", segment, "control-structure", "a segment of the envelope", fix)

    def end(self, code: str, rule: str, expected: str) -> Iterator[Event]:
        """Close an interchange that has no trailer."""
        if self.interchange is not None:
            fix = "send the whole interchange again"
            if not self._groups and not self._faults:  # the rest stands behind ISA as one piece
                fix = f"end each segment by the last character of ISA, here {self._delimiters.terminator}; {fix}"
            if not self._faults or self._faults[-1].rule != "separator":  # else its end was there, and not seen
                self._fault(code, self.interchange, rule, expected, fix)
            yield from self._end_group("3")
            yield self._interchange_seen(self.interchange)

    def _open(self, segment: Segment, delimiters: Delimiters) -> None:
        self.interchange, self._delimiters = segment, delimiters
        self._groups, self._faults, self._code = 0, [], "000"
        if segment.position == 1 and segment.lead:
            fix = "start the file with ISA"
            self._note(segment, "lead", "no character before ISA", fix)
        for element, fits, code in ((9, segment.get(9).isdecimal(), "014"), (13, segment.get(13).isdecimal(), "018")):
            if not fits:
                self._fault(code, segment, "isa-element", "digits", f"correct ISA{element:02d}", element=element)
        if segment.get(12) != "00501":
            self._fault("017", segment, "isa-version", "00501", "write release 005010", element=12)

    def _close(self, segment: Segment) -> Iterator[Event]:
        if self.interchange is None:
            return
        yield from self._end_group("3")
        if segment.get(2) != self.interchange.get(13):
            self._fault("001", segment, "control-number", self.interchange.get(13), "IEA02 repeats ISA13", element=2)
        if segment.get(1) != str(self._groups):
            self._fault("021", segment, "group-count", str(self._groups), "IEA01 counts the groups", element=1)
        yield self._interchange_seen(self.interchange)

    def _interchange_seen(self, header: Segment) -> InterchangeSeen:
        self.interchange = None
        return InterchangeSeen(header, self._delimiters, self._code, tuple(self._faults))

    def _check_control(self, segment: Segment) -> None:
        for finding in level1.check(segment, self._delimiters):
            self._fault("024", segment, finding.rule, finding.expected, finding.fix, element=finding.element)

    def _end_group(self, code: str, trailer: Segment | None = None) -> Iterator[Event]:
        yield from self._end_set("2")
        if self._group is None or self.interchange is None:
            return
        faults = [code] if code else []
        if trailer is not None and trailer.get(2) != self._group.get(6):
            faults.append("4")
        if trailer is not None and trailer.get(1) != str(self._sets):
            faults.append("5")
        told = trailer.get(1) if trailer is not None and trailer.get(1).isdecimal() else str(self._sets)
        yield GroupSeen(self.interchange, self._group, self._sets, told, tuple(faults))
        self._group = None

    def _open_set(self, interchange: Segment, group: Segment, segment: Segment) -> None:
        self._sets += 1
        version = segment.get(3) or group.get(8)
        known = guide_for(segment.get(1), version, "")
        head = SetHead(interchange, group, segment, self._delimiters, known)
        received = self._received or group.get(4)
        self.inside = _SetReader(head, self._codes, received, keep=self._keep)
        if segment.get(2) in self._numbers:
            self.inside.envelope.append("23")
        self._numbers.add(segment.get(2))

    def _end_set(self, code: str, trailer: Segment | None = None) -> Iterator[Event]:
        if self.inside is not None:
            yield from self.inside.end(code, trailer)
        self.inside = None

    def _fault(self, code: str, segment: Segment, rule: str, expected: str, fix: str, *, element: int = 0) -> None:
        if self._code == "000":
            self._code = code
        if len(self._faults) < FINDINGS_LIMIT:
            self._faults.append(_envelope_finding(segment, rule, expected, fix, element))

    def _note(self, segment: Segment, rule: str, expected: str, fix: str) -> None:
        finding = _envelope_finding(segment, rule, expected, fix, 0)
        self._faults.append(msgspec.structs.replace(finding, severity=NOTE))


def _envelope_finding(segment: Segment, rule: str, expected: str, fix: str, element: int) -> Finding:
    return Finding(
        level=1,
        rule=rule,
        tag=segment.tag[:3],
        position=segment.position,
        element=element,
        expected=expected,
        got=segment.get(element)[:80] if element else segment.tag[:20],
        fix=fix,
    )


class _SetReader:
    def __init__(self, head: SetHead, codes: CodeSets | None, received: str, *, keep: bool) -> None:
        self.head = head
        self.envelope: list[str] = []
        self._codes = codes
        self._received = received
        self._keep = keep
        self._component = head.delimiters.component
        self._patterns = level1.patterns(head.delimiters)
        self._count = 1
        self._units = 0
        self._findings: list[Finding] = []
        self._levels = level2.Levels()
        self._balance = level3.Balance(head.header.get(1))
        self._placer: Placer | None = None
        if head.guide is None:
            self.envelope.append("1")
        else:
            self._start(head.guide)

    def fork(self, codes: CodeSets | None, received: str) -> Self:
        """Return another reader that has read the same and goes on by itself, under these codes and this day."""
        other = self.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._codes, other._received = codes, received  # noqa: SLF001 -- of its own class
        other.envelope, other._findings = list(self.envelope), list(self._findings)  # noqa: SLF001 -- of its own class
        other._levels, other._balance = self._levels.fork(), self._balance.fork()  # noqa: SLF001 -- of its own class
        other._placer = self._placer.fork() if self._placer is not None else None  # noqa: SLF001 -- of its own class
        return other

    def _start(self, guide: Guide) -> None:
        self._placer = Placer(guide, self.head.header, self._component, keep=self._keep)
        header, root = self.head.header, self._placer.root
        self._add(level1.check(header, self.head.delimiters, root.use.name))
        self._add(level2.check(header, guide.root.trigger, root, self._component))
        version = self.head.header.get(3) or self.head.group.get(8)
        if version != guide.version:
            self._add(
                [
                    Finding(
                        level=2,
                        rule="guide-version",
                        tag="ST",
                        position=self.head.header.position,
                        element=3,
                        expected=guide.version,
                        got=version,
                        fix=f"write version {guide.version}",
                        severity=NOTE,
                    )
                ]
            )

    def feed(self, segment: Segment) -> list[UnitSeen]:
        """Take the next segment of the set's body; return the units that it completes."""
        self._count += 1
        placer = self._placer
        if placer is None:
            return []
        tag = segment.tag
        if tag == "BHT":
            self._function(segment)
            placer = self._placer or placer
        use, units = placer.place(segment)
        if use is None:
            self._add(level1.check(segment, self.head.delimiters, placer.current.use.name))
        else:
            if self._patterns.sound.get(segment.text) is not use:
                self._look(segment, use, placer.current)
            if tag == "HL":
                self._add(self._levels.check(placer.current))
        return [self._unit(loop) for loop in units] if units else []

    def _look(self, segment: Segment, use: SegmentUse, loop: Loop) -> None:
        """Check a segment by levels 1 and 2, and remember it if it is sound."""
        found = level1.check(segment, self.head.delimiters, loop.use.name)
        more = level2.check(segment, use, loop, self._component) if use.checked else ()
        if found or more:
            self._add(found)
            self._add(more)
        else:
            self._patterns.remember(segment.text, use)

    def _function(self, segment: Segment) -> None:
        """Choose between guides that share set and version by BHT02 (278)."""
        better = guide_for(self.head.header.get(1), self.head.header.get(3) or self.head.group.get(8), segment.get(2))
        if better is not None and better is not self.head.guide and better.functions:
            self.head = msgspec.structs.replace(self.head, guide=better)
            self._placer = Placer(better, self.head.header, self._component, keep=self._keep)

    def end(self, code: str, trailer: Segment | None) -> Iterator[Event]:
        """Close the set."""
        if code:
            self.envelope.append(code)
        if trailer is not None:
            if trailer.get(2) != self.head.header.get(2):
                self.envelope.append("3")
            if trailer.get(1) != str(self._count + 1):
                self.envelope.append("4")
        placer = self._placer
        root = None
        if placer is not None:
            if trailer is not None:
                yield from self.feed(trailer)
            for loop in placer.close():
                yield self._unit(loop)
            root = placer.root
            if "2" not in self.envelope:
                self._findings.extend(placer.findings[: FINDINGS_LIMIT - len(self._findings)])
            self._findings.extend(self._whole(root))
        yield SetSeen(self.head, root, self._units, tuple(self._findings), tuple(dict.fromkeys(self.envelope)))

    def _add(self, findings: Sequence[Finding]) -> None:
        if findings and len(self._findings) < FINDINGS_LIMIT:
            self._findings.extend(findings)

    def _day(self, loop: Loop) -> str:
        if self.head.header.get(1) == "837" and loop.name == "2300":
            return level4.service_period(loop)[1]
        return self._received

    def _codes_of(self, loop: Loop, day: str) -> list[Finding]:
        if self._codes is None:
            return []
        return level5.check(loop.segments, loop.use.name, self._component, self._codes, day)

    def _unit(self, loop: Loop) -> UnitSeen:
        self._units += 1
        kind = self.head.header.get(1)
        found = self._balance.unit(loop)
        if kind == "837":
            found.extend(level4.claim(loop, self._component, self._received))
        elif kind == "835":
            found.extend(level4.payment(loop))
        day = self._day(loop)
        for part in loop.walk():
            wrong = self._codes_of(part, day)
            if wrong:
                found.extend(wrong)
        if kind == "837":
            found.extend(self._context(loop))
        return UnitSeen(self.head, loop, tuple(found))

    def _context(self, loop: Loop) -> list[Finding]:
        """Return level 5 of the loops around a unit: a billing provider's fault is a fault of its claims."""
        found: list[Finding] = []
        around = loop.parent
        while around is not None and around.parent is not None:
            if around.memo is None:
                parts = [around, *(child for child in around.children if child.name.startswith("2010"))]
                around.memo = tuple(finding for part in parts for finding in self._codes_of(part, self._received))
            found.extend(around.memo)
            around = around.parent
        return found

    def _whole(self, root: Loop) -> list[Finding]:
        found = self._balance.closing(root)
        kind = self.head.header.get(1)
        if kind == "835":
            found.extend(level4.remittance(root))
        guide = self.head.guide
        if kind == "837" or (guide is not None and guide.name == "277CA"):
            return found  # an acknowledgment names people as the sender did, wrong numbers too
        for loop in root.outside_units():
            found.extend(self._codes_of(loop, self._received))
        return found
