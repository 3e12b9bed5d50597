"""Code sets of level 5. Numbers are facts; the few texts are our own short words.

The lists are values, so that a node can pass newer ones; what is built in is enough to work alone.
"""

import re
from typing import Final

import msgspec

_REASONS: Final = """
1-16 18-24 26-27 29 31-35 39-40 44-45 49-51 53-56 58-61 66 69-70 74-76 78 85 87 89-91 94-97 100-112 114-119 121-122
128-137 139-140 142-144 146-155 157-161 163-167 169-190 192-195 197-206 208-213 215-216 219 222-226 228-229 231-308
A0 A1 A5 A6 A8 B1 B4 B7-B16 B20 B22 B23 P1-P33
"""
_RETIRED_REASONS: Final = {
    "17": "20090701",
    "42": "20070601",
    "62": "20070401",
    "88": "20120308",
    "125": "20131101",
    "126": "20080401",
    "127": "20080401",
    "141": "20120701",
    "A2": "20080101",
    "A7": "20150701",
    "B5": "20160501",
    "B18": "20090301",
}
_STATES: Final = """
AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI
SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI FM MH PW AA AE AP
"""
_PLACES: Final = """
01-27 31-34 41-42 49-58 60-62 65-66 71-72 81 99
"""
_PROVIDER_ADJUSTMENTS: Final = """
50 51 72 90 AH AM AP B2 B3 BD BN C5 CR CS CT CV CW DM E3 FB FC GO HM IP IR IS J1 L3 L6 LE LS OA OB PI PL RA RE SL TL WO
WU
"""


def _expand(text: str) -> frozenset[str]:
    codes: set[str] = set()
    for word in text.split():
        low, dash, high = word.partition("-")
        head = "" if low[0].isdigit() else low[0]
        if not dash:
            codes.add(word)
            continue
        first, last = low.removeprefix(head), high.removeprefix(head)
        codes.update(head + str(number).rjust(len(first), "0") for number in range(int(first), int(last) + 1))
    return frozenset(codes)


class CodeSets(msgspec.Struct, frozen=True):
    """The lists that level 5 checks against. A code retired on a day stays valid before it (CCYYMMDD)."""

    reasons: frozenset[str] = _expand(_REASONS)
    """Claim adjustment reason codes in force."""
    retired_reasons: dict[str, str] = msgspec.field(default_factory=lambda: dict(_RETIRED_REASONS))
    """Claim adjustment reason codes no longer in force, with the first day they must not be used."""
    places: frozenset[str] = _expand(_PLACES)
    """Place of service codes."""
    states: frozenset[str] = _expand(_STATES)
    provider_adjustments: frozenset[str] = _expand(_PROVIDER_ADJUSTMENTS)
    retired_diagnoses: dict[str, str] = msgspec.field(default_factory=dict)
    """Diagnosis codes with the first day they must not be used."""
    retired_procedures: dict[str, str] = msgspec.field(default_factory=dict)
    """Procedure codes with the first day they must not be used."""


BUILT_IN: Final = CodeSets()
ICD10_FROM: Final = "20151001"
REMARK: Final = re.compile(r"(?:MA?|N)\d{1,3}", re.ASCII)
TAXONOMY: Final = re.compile(r"[0-9A-Z]{9}[0-9A-Z]", re.ASCII)
ICD10: Final = re.compile(r"[A-TV-Z]\d[0-9A-Z][0-9A-Z]{0,4}|U\d\d[0-9A-Z]{0,4}", re.ASCII)
ICD9: Final = re.compile(r"\d{3,5}|V\d{2,4}|E\d{3,4}", re.ASCII)
PROCEDURE: Final = re.compile(r"[A-Z0-9]\d{3}[A-Z0-9]", re.ASCII)
MODIFIER: Final = re.compile(r"[A-Z0-9]{2}", re.ASCII)
REVENUE: Final = re.compile(r"\d{4}", re.ASCII)


def routing_valid(text: str) -> bool:
    """Check the digit of an ABA routing number: weights 3, 7, 1."""
    if len(text) != 9 or not text.isdecimal() or text == "000000000":
        return False
    return sum(int(sign) * (3, 7, 1)[place % 3] for place, sign in enumerate(text)) % 10 == 0
