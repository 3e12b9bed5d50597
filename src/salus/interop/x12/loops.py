"""Puts segments into the loops of a guide, and tells what does not fit.

The walk: a segment goes to the first use that its tag and qualifiers match, from the open loop's place onwards,
else in the loop around it, and so on outwards. What matches nowhere in order is tried without regard to order, then
without regard to qualifiers, so that one fault gives one finding and the rest of the set is still read.
"""

from collections.abc import Iterator, Sequence

from salus.interop.x12.findings import Finding
from salus.interop.x12.tables import Codes, Guide, LoopUse, SegmentUse
from salus.interop.x12.tokens import Segment


class Loop:
    """One loop as it came: its own segments in order, the loops in it, the loop around it."""

    __slots__ = ("children", "counts", "group", "memo", "parent", "period", "segments", "service", "use")

    def __init__(self, use: LoopUse, parent: "Loop | None", first: Segment) -> None:
        self.use = use
        self.parent = parent
        self.segments: list[tuple[Segment, SegmentUse | None]] = [(first, use.trigger)]
        self.children: list[Loop] = []
        self.counts: dict[int, int] = {0: 1}
        self.group = use.parts[0].group
        self.memo: tuple[Finding, ...] | None = None
        self.period: tuple[str, str] | None = None
        self.service: tuple[Segment, int] | None = None

    @property
    def name(self) -> str:
        """Name of the loop in its guide."""
        return self.use.name

    @property
    def first(self) -> Segment:
        """The segment that opened the loop."""
        return self.segments[0][0]

    def all(self, tag: str, *qualifiers: str) -> list[Segment]:
        """Return the loop's own segments with this tag and, if given, one of these first elements."""
        return [part for part, _ in self.segments if part.tag == tag and (not qualifiers or part.get(1) in qualifiers)]

    def one(self, tag: str, *qualifiers: str) -> Segment | None:
        """Return the first of `all`, or None."""
        for part, _ in self.segments:
            if part.tag == tag and (not qualifiers or part.get(1) in qualifiers):
                return part
        return None

    def value(self, tag: str, element: int, *qualifiers: str) -> str:
        """Return an element of `one`, empty where there is none."""
        for part, _ in self.segments:
            if part.tag == tag and (not qualifiers or part.get(1) in qualifiers):
                return part.get(element)
        return ""

    def loops(self, *names: str) -> "list[Loop]":
        """Return the direct children with one of these names."""
        return [child for child in self.children if child.use.name in names]

    def loop(self, *names: str) -> "Loop | None":
        """Return the first of `loops`, or None."""
        for child in self.children:
            if child.use.name in names:
                return child
        return None

    def up(self, name: str) -> "Loop | None":
        """Return the loop around this one that has this name, or None."""
        around = self.parent
        while around is not None and around.use.name != name:
            around = around.parent
        return around

    def outside_units(self) -> Iterator["Loop"]:
        """Go through this loop and all loops in it, but the units and what is in them."""
        if not self.use.unit:
            yield self
            for child in self.children:
                yield from child.outside_units()

    def walk(self) -> Iterator["Loop"]:
        """Go through this loop and all loops in it, in order of the file."""
        yield self
        for child in self.children:
            if child.children:
                yield from child.walk()
            else:
                yield child

    def copy(self, around: "Loop | None", copies: "dict[Loop, Loop]") -> "Loop":
        """Return a copy of the loop and all in it, to grow by itself; `copies` gets each loop's own."""
        other = copies[self] = Loop.__new__(Loop)
        other.use, other.parent, other.group = self.use, around, self.group
        other.segments, other.counts = list(self.segments), dict(self.counts)
        other.memo, other.period, other.service = self.memo, self.period, self.service
        other.children = [child.copy(other, copies) for child in self.children]
        return other

    def let_go(self) -> None:
        """Have the loops in this one forget what is around them: whoever drops this loop then frees them at once."""
        for child in self.children:
            child.parent = None
            if child.children:
                child.let_go()


def _matches(codes: tuple[Codes, ...], segment: Segment, component: str) -> bool:
    elements = segment.elements
    for rule in codes:
        value = elements[rule.element] if rule.element < len(elements) else ""
        if rule.component and value:
            value = ([*value.split(component), *[""] * rule.component])[rule.component - 1]
        if value not in rule.values:
            return False
    return True


class Placer:
    """Builds the loops of one transaction set from its segments; `findings` are of level 2."""

    def __init__(self, guide: Guide, first: Segment, component: str, *, keep: bool) -> None:
        self.guide = guide
        self.root = Loop(guide.root, None, first)
        self.current = self.root
        self.findings: list[Finding] = []
        self._component = component
        self._keep = keep

    def fork(self) -> "Placer":
        """Return another that has placed the same and goes on by itself."""
        copies: dict[Loop, Loop] = {}
        other = Placer.__new__(Placer)
        other.__dict__.update(self.__dict__)
        other.root, other.findings = self.root.copy(None, copies), list(self.findings)
        other.current = copies[self.current]
        return other

    def place(self, segment: Segment) -> tuple[SegmentUse | None, Sequence[Loop]]:
        """Put a segment in its loop. Returns its use (None where it has none) and the units that it completed."""
        loop: Loop | None = self.current
        tag = segment.tag
        while loop is not None:
            group = loop.group
            for part, use in loop.use.index.get(tag, ()):
                if part.key and part.group >= group:
                    match = use.match
                    if not match or _matches(match, segment, self._component):
                        return self._put(loop, part, segment)
            loop = loop.parent
        return self._misplaced(segment)

    def close(self) -> list[Loop]:
        """End the set: close all open loops. Returns the units that were still open."""
        return self._ascend(None)

    def _put(self, loop: Loop, part: SegmentUse | LoopUse, segment: Segment) -> tuple[SegmentUse, Sequence[Loop]]:
        units: Sequence[Loop] = self._ascend(loop) if loop is not self.current else ()
        if part.group > loop.group:  # noqa: PLR1730 -- a call to `max` for each segment of a file
            loop.group = part.group
        count = loop.counts[part.key] = loop.counts.get(part.key, 0) + 1
        if part.limit and count == part.limit + 1:
            self._too_many(loop, part, segment)
        if isinstance(part, SegmentUse):
            loop.segments.append((segment, part))
            return part, units
        child = Loop(part, loop, segment)
        loop.children.append(child)
        self.current = child
        return part.trigger, units

    def _ascend(self, to: Loop | None) -> list[Loop]:
        units: list[Loop] = []
        loop = self.current
        while loop is not to:
            self._complete(loop)
            around = loop.parent
            if loop.use.unit:
                units.append(loop)
                loop.let_go()
            if loop.use.streams and not self._keep and around is not None:
                around.children.pop()
            if around is None:
                break
            loop = around
        self.current = loop
        return units

    def _complete(self, loop: Loop) -> None:
        for part in loop.use.parts:
            if not part.required or part.key in loop.counts:
                continue
            use = part if isinstance(part, SegmentUse) else part.trigger
            wanted = "".join(f" with {rule.element:02d} = {'|'.join(sorted(rule.values))}" for rule in use.match)
            name = loop.name if isinstance(part, SegmentUse) else part.name
            self.findings.append(
                Finding(
                    level=2,
                    rule="segment-missing" if isinstance(part, SegmentUse) else "loop-missing",
                    loop=name,
                    tag=use.tag,
                    position=loop.segments[-1][0].position,
                    expected=f"{use.tag}{wanted} in loop {name}",
                    fix=f"add the {use.tag} segment{wanted}",
                    code="3",
                )
            )

    def _too_many(self, loop: Loop, part: SegmentUse | LoopUse, segment: Segment) -> None:
        name = loop.name if isinstance(part, SegmentUse) else part.name
        self.findings.append(
            Finding(
                level=2,
                rule="segment-repeats" if isinstance(part, SegmentUse) else "loop-repeats",
                loop=name,
                tag=segment.tag,
                position=segment.position,
                expected=f"at most {part.limit}",
                got=str(part.limit + 1),
                fix=f"leave out the {segment.tag} segments beyond {part.limit}",
                code="5" if isinstance(part, SegmentUse) else "4",
            )
        )

    def _misplaced(self, segment: Segment) -> tuple[SegmentUse | None, Sequence[Loop]]:
        chain: list[Loop] = []
        loop: Loop | None = self.current
        while loop is not None:
            chain.append(loop)
            loop = loop.parent
        for around in chain:
            for part, use in around.use.index.get(segment.tag, ()):
                if _matches(use.match, segment, self._component):
                    self._strange(segment, around, "segment-order", "7", "this segment earlier", fix="move the segment")
                    return self._put(around, part, segment)
        for around in chain:
            for part, _ in around.use.index.get(segment.tag, ()):
                if isinstance(part, SegmentUse) and part.key and part.group >= around.group:
                    allowed = "; ".join(f"{rule.element:02d} = {'|'.join(sorted(rule.values))}" for rule in part.match)
                    self._strange(
                        segment, around, "qualifier", "8", allowed, fix="use a qualifier that the guide has here"
                    )
                    units = self._ascend(around)
                    around.counts.setdefault(part.key, 1)
                    around.segments.append((segment, None))
                    return None, units
        self._strange(
            segment, self.current, "segment-unexpected", "2", "a segment of this loop", fix="leave the segment out"
        )
        self.current.segments.append((segment, None))
        return None, ()

    def _strange(self, segment: Segment, loop: Loop, rule: str, code: str, expected: str, *, fix: str) -> None:
        self.findings.append(
            Finding(
                level=2,
                rule=rule,
                loop=loop.name,
                tag=segment.tag,
                position=segment.position,
                expected=expected,
                got=segment.get(1)[:20],
                fix=fix,
                code=code,
            )
        )
