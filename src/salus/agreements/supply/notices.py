"""Lot codes out of a recall notice's free text (`code_info` of openFDA): what is certain, and what a person must read.

1. Expiry dates and enumerators (`a)`, `1) - 5)`) are taken out.
2. What stands before the first word *lot* must be nothing.
3. What is left is cut at commas, semicolons, ampersands and *and*. Each piece must be one code: capitals, digits and hyphens,
   three to twenty of them, a digit among them.

A text of which anything is left over is doubtful, with the piece that was not understood: a range, a date, a code with
blanks. Its codes are told too, never acted on alone.
"""

import re
from dataclasses import dataclass
from typing import Final

MAX_TEXT: Final = 64 * 1024  # openFDA's longest code_info have some ten thousand characters
_DATE: Final = r"\d{1,2}[/-]\d{1,2}[/-]\d{2,4}|\d{1,2}[/-]\d{2,4}"
_EXPIRY: Final = re.compile(
    r"\(?\s*\b(?:exp(?:iration|iry)?\.?(?:\s+dates?)?|use\s+by(?:\s+date)?|best\s+(?:if\s+used\s+)?by(?:\s+dates?)?)"
    rf"\s*[:.]?\s*(?:{_DATE})\s*\)?",
    re.IGNORECASE,
)
_ENUMERATOR: Final = re.compile(r"(?<![\w-])(?:\d{1,2}|[a-z])\)(?:\s*-\s*\d{1,2}\))?")
_LOT: Final = re.compile(r"\blots?\b\s*(?:codes?|numbers?|nos?\.)?\s*(?:#\s*(?:'?s)?)?\s*:?", re.IGNORECASE)
_CUT: Final = re.compile(r"[|;,&\n]|\band\b")
_CODE: Final = re.compile(r"(?=[A-Z0-9-]*\d)[A-Z0-9][A-Z0-9-]{2,19}")


@dataclass(frozen=True, slots=True)
class Codes:
    """What a text names."""

    lots: tuple[str, ...]
    """Lot codes, in the text's order, each once."""
    doubts: tuple[str, ...]
    """Pieces that were not understood. Empty: the lots are certain and complete."""


def codes_of(text: str) -> Codes:
    """Return the lot codes of a notice's text. Raises ValueError if it is longer than any notice."""
    if len(text) > MAX_TEXT:
        raise ValueError("longer than a notice")
    rest = _LOT.sub("|", _ENUMERATOR.sub(";", _EXPIRY.sub(";", text)))
    before, found, after = rest.partition("|")
    if not found:
        return Codes((), (" ".join(text.split()) or "no text",))
    pieces = [" ".join(piece.split()).strip(" .") for piece in _CUT.split(after)]
    doubts = [before.strip(" ;,.")] if before.strip(" ;,.\n") else []
    doubts += [piece for piece in pieces if piece and not _CODE.fullmatch(piece)]
    lots = dict.fromkeys(piece for piece in pieces if _CODE.fullmatch(piece))
    if not lots and not doubts:
        doubts = [" ".join(text.split())]
    return Codes(tuple(lots), tuple(doubts))
