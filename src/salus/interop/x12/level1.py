"""Level 1, syntax: tags, number of elements, types, lengths, characters, dates and times of every segment."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import msgspec

from salus.interop.x12.calendar import is_period
from salus.interop.x12.elements import CHARACTERS, SEGMENTS, ElementRule, segment_pattern, value_pattern
from salus.interop.x12.envelope import WRITTEN
from salus.interop.x12.findings import Finding
from salus.interop.x12.tables import SegmentUse
from salus.interop.x12.tokens import Delimiters, Segment

_TYPES: Final = {"R": "a decimal number (type R)", "N": "a whole number (type N)"}
_DATES: Final = {
    "D8": "an existing date CCYYMMDD (format D8)",
    "RD8": "two existing dates CCYYMMDD-CCYYMMDD (format RD8)",
}
PERIOD_AT = {"DTP": (2, 3), "DMG": (1, 2)}


FREE: Final = frozenset({"K3", "MSG", "N3", "NTE"})
"""Segments of words that nothing is found by: they are cleaned where they are told again."""
REMEMBERED: Final = 8192
"""Segments remembered as sound: what stands in many claims, such as codes, days and addresses, is looked at once."""


class Patterns(dict[str, "re.Pattern[str] | None"]):
    """The pattern of each tag under one interchange's separators, made when it is first asked for; None: no such tag."""

    def __init__(self, delimiters: Delimiters) -> None:
        super().__init__()
        self._delimiters = delimiters
        own = {delimiters.element, delimiters.component, delimiters.repetition, delimiters.terminator}
        self.reserved = WRITTEN - own
        """Signs that part nothing here but would in every answer: a number that holds one cannot be told back."""
        self.sound: dict[str, SegmentUse] = {}
        """By its text: a use in which a segment passed levels 1 and 2, which ask for nothing else."""

    def remember(self, text: str, use: SegmentUse) -> None:
        """Remember a segment as sound in a use."""
        if len(self.sound) >= REMEMBERED:
            self.sound.clear()
        self.sound[text] = use

    def __missing__(self, tag: str) -> "re.Pattern[str] | None":
        """Make a tag's pattern; tags that no release has are not kept."""
        if tag not in SEGMENTS:
            return None
        made = self[tag] = segment_pattern(tag, self._delimiters)
        return made


patterns = lru_cache(maxsize=8)(Patterns)
"""The patterns under some separators: senders use few."""


@lru_cache(maxsize=512)
def _value(rule: ElementRule, delimiters: Delimiters) -> re.Pattern[str]:
    return re.compile(value_pattern(rule, delimiters), re.ASCII)


def check(segment: Segment, delimiters: Delimiters, loop: str = "") -> tuple[Finding, ...]:
    """Check one segment. One match of the whole segment clears what is in order; only the rest is taken apart."""
    tag = segment.tag
    if tag not in SEGMENTS:
        return (
            _finding(
                segment, loop, "segment-unknown", "a segment of release 005010", "leave the segment out", code="1"
            ),
        )
    known = patterns(delimiters)
    pattern = known[tag]
    if known.reserved and tag not in FREE and not known.reserved.isdisjoint(segment.text):
        return tuple(_reserved(segment, known.reserved, loop))
    if pattern is None or pattern.fullmatch(segment.text) is None:
        return tuple(_elements(segment, delimiters, loop))
    if tag in PERIOD_AT:
        qualifier, value = PERIOD_AT[tag]
        text = segment.get(value)
        if text and not is_period(segment.get(qualifier), text):
            form = segment.get(qualifier)
            expected = _DATES.get(form, f"a date in the format {form}")
            return (_finding(segment, loop, "date", expected, "write an existing date", code="8", place=(value, 0)),)
    return ()


def _finding(
    segment: Segment, loop: str, rule: str, expected: str, fix: str, *, code: str, place: tuple[int, int] = (0, 0)
) -> Finding:
    element, component = place
    return Finding(
        level=1,
        rule=rule,
        loop=loop,
        tag=segment.tag,
        position=segment.position,
        element=element,
        component=component,
        expected=expected,
        got=segment.get(element)[:80] if element else segment.tag[:20],
        fix=fix,
        code=code,
    )


def _reserved(segment: Segment, signs: frozenset[str], loop: str) -> Iterator[Finding]:
    fix = "leave the sign out, or send with the separators * : ^ ~ so that it cannot stand in a value"
    for number, text in enumerate(segment.elements[1:], 1):
        if not signs.isdisjoint(text):
            expected = "no sign that parts the segments and elements of an answer (* : ^ ~)"
            yield _finding(segment, loop, "character", expected, fix, code="6", place=(number, 0))


def _elements(segment: Segment, delimiters: Delimiters, loop: str) -> list[Finding]:
    rules = SEGMENTS[segment.tag]
    found: list[Finding] = []
    if len(segment.elements) - 1 > len(rules):
        fix = "leave out the elements beyond the last"
        found.append(
            _finding(
                segment, loop, "elements-many", f"at most {len(rules)} elements", fix, code="3", place=(len(rules), 0)
            )
        )
    elif segment.elements[-1] == "":
        fix = "end the segment after its last element"
        found.append(_finding(segment, loop, "separators-trailing", "no separator at the end", fix, code="3"))
    for number, rule in enumerate(rules, 1):
        text = segment.get(number)
        if not text:
            if rule.mandatory:
                found.append(_missing(segment, loop, number, 0))
            continue
        repeats = text.split(delimiters.repetition) if rule.repeatable else [text]
        for one in repeats:
            if rule.parts:
                found.extend(_components(segment, delimiters, loop, number, one))
            else:
                found.extend(_one(segment, delimiters, loop, rule, one, place=(number, 0)))
    return found


SEPARATORS: Final = ":><|\\"
"""What senders write between components."""


def _as_written(text: str) -> str:
    """Return a value as its sender sees it, where it was written in UTF-8."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text


def _missing(segment: Segment, loop: str, element: int, component: int) -> Finding:
    place = f"{segment.tag}{element:02d}" + (f".{component}" if component else "")
    return _finding(segment, loop, "element-missing", "a value", f"fill {place}", code="1", place=(element, component))


def _components(segment: Segment, delimiters: Delimiters, loop: str, element: int, text: str) -> list[Finding]:
    rule = SEGMENTS[segment.tag][element - 1]
    values = text.split(delimiters.component)
    if len(values) == 1 and len(text) > rule.parts[0].most and any(sign in text for sign in SEPARATORS):
        expected = f"{delimiters.component} between components, as in ISA16"
        fix = "use one component separator throughout, the one that ISA16 names"
        return [_finding(segment, loop, "separator", expected, fix, code="6", place=(element, 0))]
    found: list[Finding] = []
    if len(values) > len(rule.parts):
        expected = f"at most {len(rule.parts)} components"
        found.append(
            _finding(segment, loop, "components-many", expected, "leave out the rest", code="13", place=(element, 0))
        )
    for number, part in enumerate(rule.parts, 1):
        value = values[number - 1] if number <= len(values) else ""
        if value:
            found.extend(_one(segment, delimiters, loop, part, value, place=(element, number)))
        elif part.mandatory:
            found.append(_missing(segment, loop, element, number))
    return found


def _one(
    segment: Segment, delimiters: Delimiters, loop: str, rule: ElementRule, text: str, *, place: tuple[int, int]
) -> list[Finding]:
    if _value(rule, delimiters).fullmatch(text):
        return []
    size = len(text.replace("-", "").replace(".", "")) if rule.kind in {"R", "N"} else len(text)
    barred = (delimiters.element, delimiters.component, delimiters.repetition)
    if any(sign not in CHARACTERS or sign in barred for sign in text):
        fix = "use letters without accents, digits and marks of the basic or extended set, no separator in use"
        found = _finding(segment, loop, "character", "characters of the X12 set", fix, code="6", place=place)
        return [msgspec.structs.replace(found, got=_as_written(found.got))]
    if size < rule.least:
        expected = f"{rule.least} to {rule.most} characters"
        return [_finding(segment, loop, "element-short", expected, "write the whole value", code="4", place=place)]
    if size > rule.most:
        expected = f"{rule.least} to {rule.most} characters"
        return [_finding(segment, loop, "element-long", expected, "shorten the value", code="5", place=place)]
    kinds = {"DT": ("date", "a date CCYYMMDD", "8"), "TM": ("time", "a time HHMM", "9")}
    name, expected, code = kinds.get(rule.kind, ("element-type", _TYPES.get(rule.kind, f"type {rule.kind}"), "6"))
    return [_finding(segment, loop, name, expected, f"write {expected}", code=code, place=place)]
