"""How a guide's table is written and what it becomes: loops and the uses of segments in them.

A line is a segment use or a loop; two blanks of indent are one level:

    @2300 R100 unit          loop 2300, required, at most 100 times, handed on by itself when it is complete
      NM1 R1 01=82 02~1|2 09!   segment, required, once; told from other uses by NM101 = 82; NM102 must be 1 or 2;
                                NM109 must be there; `R` required, `S` situational, `*` without limit
Codes of a component stand as 01.2~A|B, of the first repetition only.
"""

from typing import Final

import msgspec

UNBOUNDED: Final = 0


class Codes(msgspec.Struct, frozen=True):
    """Allowed values of element `element`, component `component` (0: the whole element)."""

    element: int
    component: int
    values: frozenset[str]


class SegmentUse(msgspec.Struct, frozen=True):
    """One use of a segment at one place of a guide."""

    tag: str
    required: bool
    limit: int
    group: int
    """Place in the loop's order; neighbours with the same tag share it, since X12 leaves their order open."""
    key: int
    """Number of this use in its loop."""
    match: tuple[Codes, ...]
    codes: tuple[Codes, ...]
    needed: tuple[tuple[int, int], ...]
    """Elements, and components (0: the whole element), that must be there."""
    checked: bool
    """Whether level 2 asks anything of the segment."""


class LoopUse(msgspec.Struct, frozen=True):
    """One loop at one place of a guide; its first segment opens it."""

    name: str
    required: bool
    limit: int
    group: int
    key: int
    unit: bool
    streams: bool
    """Whether it is a unit or has units in it: when complete it is handed on, not kept."""
    parts: "tuple[SegmentUse | LoopUse, ...]"
    index: "dict[str, tuple[tuple[SegmentUse | LoopUse, SegmentUse], ...]]"
    """By tag: the parts that a segment may open or be, each with the segment use that says whether it does."""
    trigger: SegmentUse
    """The segment use that opens the loop."""


class Guide(msgspec.Struct, frozen=True):
    """One transaction set under one implementation guide."""

    name: str
    set_id: str
    version: str
    functional_id: str
    functions: frozenset[str]
    root: LoopUse


def guide(name: str, set_id: str, version: str, functional_id: str, table: str, *, functions: str = "") -> Guide:
    """Read a guide's table. Raises ValueError where a line cannot be read."""
    lines = [line for line in table.splitlines() if line.strip()]
    root, rest = _loop("ST_LOOP", "R1", lines, 0, (0, 0))
    if rest:
        raise ValueError(f"{name}: lines after the end of the table: {rest[0]}")
    return Guide(name, set_id, version, functional_id, frozenset(functions.split()), root)


def _indent(line: str) -> int:
    return (len(line) - len(line.lstrip())) // 2


def _loop(
    head: str, usage: str, lines: list[str], level: int, place_and_key: tuple[int, int]
) -> tuple[LoopUse, list[str]]:
    group, key = place_and_key
    parts: list[SegmentUse | LoopUse] = []
    place, before = 0, ""
    while lines and _indent(lines[0]) == level:
        words, lines = lines[0].split(), lines[1:]
        number = len(parts)
        if words[0].startswith("@"):
            opens = lines[0].split()[0]
            place += f"@{opens}" != before
            before = f"@{opens}"
            part: SegmentUse | LoopUse
            part, lines = _loop(" ".join([words[0][1:], *words[2:]]), words[1], lines, level + 1, (place, number))
        else:
            place += words[0] != before
            before = words[0]
            part = _segment(words, place, number)
        parts.append(part)
    if not parts:
        raise ValueError(f"{head}: no segment opens the loop; expected its lines after it, indented by two blanks")
    index: dict[str, list[tuple[SegmentUse | LoopUse, SegmentUse]]] = {}
    for part in parts:
        use = part if isinstance(part, SegmentUse) else part.trigger
        index.setdefault(use.tag, []).append((part, use))
    name, *flags = head.split()
    found = {tag: tuple(uses) for tag, uses in index.items()}
    unit = "unit" in flags
    streams = unit or any(isinstance(part, LoopUse) and part.streams for part in parts)
    trigger = parts[0] if isinstance(parts[0], SegmentUse) else parts[0].trigger
    return LoopUse(name, usage[0] == "R", _limit(usage), group, key, unit, streams, tuple(parts), found, trigger), lines


def _limit(usage: str) -> int:
    return UNBOUNDED if usage[1:] == "*" else int(usage[1:])


def _place(text: str) -> tuple[int, int]:
    element, _, component = text.partition(".")
    return int(element), int(component or 0)


def _codes(word: str, sign: str) -> Codes:
    place, values = word.split(sign)
    return Codes(*_place(place), frozenset(values.split("|")))


def _segment(words: list[str], group: int, key: int) -> SegmentUse:
    tag, usage, *rest = words
    match = tuple(_codes(word, "=") for word in rest if "=" in word)
    codes = tuple(_codes(word, "~") for word in rest if "~" in word)
    needed = tuple(_place(word[:-1]) for word in rest if word.endswith("!"))
    return SegmentUse(tag, usage[0] == "R", _limit(usage), group, key, match, codes, needed, bool(codes or needed))
