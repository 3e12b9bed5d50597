"""Level 2, guide: required elements, code values and the numbering of hierarchical levels.

Which segments and loops stand where is found while placing them (`loops`).
"""

from salus.interop.x12.findings import Finding
from salus.interop.x12.loops import Loop
from salus.interop.x12.tables import SegmentUse
from salus.interop.x12.tokens import Segment


def check(segment: Segment, use: SegmentUse, loop: Loop, component: str) -> list[Finding]:
    """Check one placed segment against its use in the guide."""
    found: list[Finding] = []
    elements, count = segment.elements, len(segment.elements)
    for element, part in use.needed:
        value = elements[element] if element < count else ""
        if part and value:
            value = ([*value.split(component), *[""] * part])[part - 1]
        if not value:
            found.append(
                _finding(segment, loop, "element-required", "a value", code="1", place=(element, part), got=value)
            )
    for rule in use.codes:
        value = elements[rule.element] if rule.element < count else ""
        if rule.component and value:
            value = ([*value.split(component), *[""] * rule.component])[rule.component - 1]
        if value and value not in rule.values:
            allowed = "|".join(sorted(rule.values))
            found.append(
                _finding(segment, loop, "code", allowed, code="7", place=(rule.element, rule.component), got=value)
            )
    return found


def _finding(
    segment: Segment, loop: Loop, rule: str, expected: str, *, code: str, place: tuple[int, int], got: str
) -> Finding:
    name = f"{segment.tag}{place[0]:02d}" + (f".{place[1]}" if place[1] else "")
    return Finding(
        level=2,
        rule=rule,
        loop=loop.name,
        tag=segment.tag,
        position=segment.position,
        element=place[0],
        component=place[1],
        expected=expected,
        got=got[:80],
        fix=f"fill {name}" if code == "1" else f"write one of {expected} in {name}",
        code=code,
    )


class Levels:
    """The HL segments of one set: numbers run 1, 2, 3; each names the level around it."""

    def __init__(self, last: int = 0) -> None:
        """`last`: the number that came last."""
        self._last = last

    def fork(self) -> "Levels":
        """Return others that have seen the same."""
        return Levels(self._last)

    def check(self, loop: Loop) -> list[Finding]:
        """Check the HL segment that just opened `loop`."""
        segment = loop.first
        found: list[Finding] = []
        self._last += 1
        if segment.get(1) != str(self._last):
            found.append(
                _finding(segment, loop, "hl-number", str(self._last), code="7", place=(1, 0), got=segment.get(1))
            )
        self._last = int(segment.get(1)) if segment.get(1).isdecimal() else self._last
        around = loop.parent
        parent = around.first.get(1) if around is not None and around.first.tag == "HL" else ""
        if segment.get(2) != parent:
            found.append(
                _finding(segment, loop, "hl-parent", parent or "no value", code="7", place=(2, 0), got=segment.get(2))
            )
        return found
