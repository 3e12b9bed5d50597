"""Element strings: what a scanner sends (FNC1 as 0x1D) and what stands beside the symbol (identifiers in brackets).

GS1 General Specifications 7.8: identifiers of predefined length need no FNC1 after them, all others do unless last.
"""

import re
from collections.abc import Mapping
from typing import Final

from salus.interop.gs1.dictionary import ROWS, Component, Row
from salus.interop.gs1.lints import LINTS, SETS
from salus.interop.gs1.refusal import Gs1Refused

FNC1: Final = "\x1d"
MAX_CHARACTERS: Final = 2_048  # a DataMatrix holds at most 2,335 characters; labels stay far below
SYMBOLOGY: Final = re.compile(r"\](C1|d2|Q3|e0|J1)")  # the identifiers that say GS1; ]d1 says a plain DataMatrix
ROW_OF: Final[Mapping[str, Row]] = {row[0]: row for row in ROWS}
BRACKETED: Final = re.compile(r"\((\d{2,4})\)((?:(?!\(\d{2,4}\)).)*)", re.DOTALL)
Elements = dict[str, str]
"""Values by application identifier, in the order in which they stood."""


def read_elements(text: str) -> Elements:
    """Return the elements of a scan, with or without symbology identifier. Raises Gs1Refused."""
    if len(text) > MAX_CHARACTERS:
        raise Gs1Refused("gs1.length", "the scan", f"at most {MAX_CHARACTERS} characters")
    if text.startswith("]"):
        if SYMBOLOGY.match(text) is None:
            raise Gs1Refused("gs1.symbology", "the scan", "a GS1 symbol: ]C1, ]d2, ]Q3, ]e0 or ]J1")
        text = text[3:]
    found: Elements = {}
    place = 1 if text.startswith(FNC1) else 0
    while place < len(text):
        row = _row_at(text, place)
        ai, fixed, parts = row[0], row[1], row[2]
        start = place + len(ai)
        if fixed:
            end = start + sum(part[2] for part in parts)
            place = end + 1 if text[end : end + 1] == FNC1 else end
        else:
            end = text.find(FNC1, start)
            end = len(text) if end < 0 else end
            place = end + 1
        _keep(found, ai, text[start:end])
    return check_elements(found)


def read_hri(text: str) -> Elements:
    """Return the elements of the human-readable form, `(01)...(21)...`. Raises Gs1Refused."""
    found: Elements = {}
    place = 0
    while place < len(text):
        match = BRACKETED.match(text, place)
        if match is None:
            raise Gs1Refused("gs1.hri", "the text", "identifiers in brackets, each before its value")
        _keep(found, match[1], match[2].strip())
        place = match.end()
    return check_elements(found)


def write_elements(elements: Elements) -> str:
    """Return the element string with FNC1 after what needs it, without symbology identifier. Raises Gs1Refused."""
    check_elements(elements)
    text = "".join(ai + value + ("" if ROW_OF[ai][1] else FNC1) for ai, value in elements.items())
    return text.removesuffix(FNC1)


def write_hri(elements: Elements) -> str:
    """Return the human-readable form. Raises Gs1Refused."""
    return "".join(f"({ai}){value}" for ai, value in check_elements(elements).items())


def check_elements(elements: Elements) -> Elements:
    """Return the elements if each is well-formed and all may stand together. Raises Gs1Refused."""
    if not elements:
        raise Gs1Refused("gs1.empty", "the scan", "at least one element")
    for ai, value in elements.items():
        if ai not in ROW_OF:
            raise Gs1Refused("gs1.identifier", f"({ai})", "an application identifier of the dictionary")
        check_value(ai, value)
    for ai in elements:
        _together(ROW_OF[ai], elements)
    return elements


def check_value(ai: str, value: str) -> None:
    """Check one element's value against its components. `ai` is in the dictionary. Raises Gs1Refused."""
    at = f"({ai})"
    parts = ROW_OF[ai][2]
    if not sum(part[1] for part in parts) <= len(value) <= sum(part[2] for part in parts):
        raise Gs1Refused("gs1.length", at, _shape(parts) + "; an FNC1 may be missing")
    rest = value
    for kind, fewest, most, lints in parts:
        piece, rest = rest[:most], rest[most:]
        if not piece and not fewest:
            continue
        if SETS[kind].match(piece) is None:
            raise Gs1Refused("gs1.characters", at, _shape(parts))
        if len(piece) < fewest:
            raise Gs1Refused("gs1.length", at, _shape(parts))
        for name in lints:
            if name in LINTS and not LINTS[name][0](piece):
                raise Gs1Refused(f"gs1.{name}", at, LINTS[name][1])


def _row_at(text: str, place: int) -> Row:
    for length in (2, 3, 4):
        row = ROW_OF.get(text[place : place + length])
        if row is not None:
            return row
    raise Gs1Refused("gs1.identifier", f"character {place + 1}", "an application identifier; an FNC1 may be missing")


def _keep(found: Elements, ai: str, value: str) -> None:
    if found.setdefault(ai, value) != value:
        raise Gs1Refused("gs1.twice", f"({ai})", "one value for one identifier")


def _together(row: Row, elements: Elements) -> None:
    ai, needs, excludes = row[0], row[3], row[4]
    for other in elements:
        if other != ai and any(_matches(pattern, other) for pattern in excludes):
            raise Gs1Refused("gs1.excludes", f"({ai})", f"no ({other}) beside it")
    for ways in needs:
        if not any(all(any(_matches(pattern, each) for each in elements) for pattern in way) for way in ways):
            told = " or ".join("+".join(f"({each})" for each in way) for way in ways)
            raise Gs1Refused("gs1.requires", f"({ai})", f"{told} beside it")


def _matches(pattern: str, ai: str) -> bool:
    return len(pattern) == len(ai) and all(want in ("n", got) for want, got in zip(pattern, ai, strict=True))


def _shape(parts: tuple[Component, ...]) -> str:
    names = {"N": "digits", "X": "characters of set 82", "Y": "characters of set 39", "Z": "base64url characters"}
    return ", then ".join(
        f"{most} {names[kind]}" if fewest == most else f"{fewest} to {most} {names[kind]}"
        for kind, fewest, most, _ in parts
    )
