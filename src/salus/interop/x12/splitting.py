"""Cuts one claim out of a file of claims: an interchange of its own, every segment as it came but the counts.

Written are the claim (loop 2300), its billing provider, subscriber and patient, and the set's own head. Levels are
numbered anew, so that the new file is sound where the old one was.
"""

from collections.abc import Iterator

from salus.interop.x12.examine import UnitSeen
from salus.interop.x12.loops import Loop
from salus.interop.x12.tokens import Segment


def claim_alone(unit: UnitSeen) -> bytes:
    """Return a claim as an 837 with nothing else in it."""
    head = unit.head
    element, end = head.delimiters.element, head.delimiters.terminator
    body = [part.text for loop in _around(unit.loop) for part in _named(loop)]
    body += _levels(unit.loop, element)
    body += [part.text for loop in unit.loop.walk() for part, _ in loop.segments]
    trailer = element.join(("SE", str(len(body) + 1), head.header.get(2)))
    group = element.join(("GE", "1", head.group.get(6)))
    last = element.join(("IEA", "1", head.interchange.get(13)))
    texts = [head.interchange.text, head.group.text, *body, trailer, group, last]
    return "".join(f"{text}{end}\n" for text in texts).encode("latin-1")


def _around(claim: Loop) -> list[Loop]:
    """Return the set's loop, from its start to the levels."""
    root = claim.up("ST_LOOP")
    return [] if root is None else [root]


def _named(root: Loop) -> Iterator[Segment]:
    """Yield the head of a set: its own segments and the loops that name sender and receiver."""
    yield from (part for part, _ in root.segments if part.tag != "SE")
    for child in root.children:
        if not child.name.startswith("2"):
            for loop in child.walk():
                yield from (part for part, _ in loop.segments)


def _levels(claim: Loop, element: str) -> list[str]:
    """Return provider, subscriber and patient, numbered from 1, each the parent of the next."""
    levels: list[Loop] = []
    around = claim.parent
    while around is not None and around.first.tag == "HL":
        levels.insert(0, around)
        around = around.parent
    written: list[str] = []
    for number, level in enumerate(levels, 1):
        more = "1" if number < len(levels) else "0"
        parent = str(number - 1) if number > 1 else ""
        written.append(element.join(("HL", str(number), parent, level.first.get(3), more)))
        written += [part.text for part, _ in level.segments[1:]]
        for child in level.children:
            if child.name.startswith("2010"):
                written += [part.text for loop in child.walk() for part, _ in loop.segments]
    return written
