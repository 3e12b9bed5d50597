"""Which elements each segment has: type, least and most characters, as in release 005010. A table of our own.

One line per segment: the tag, then its elements in order. `ID2-3` is a code of 2 to 3 characters, AN text, N0 an
integer, R a decimal, DT a date, TM a time, `!` mandatory, `^` repeatable, `[a,b]` a composite, `xN` the same N times.
"""

import re
from typing import Final

import msgspec

from salus.interop.x12.calendar import DATE_PATTERN, TIME_PATTERN
from salus.interop.x12.tokens import Delimiters

_PROCEDURE: Final = "[ID2-2!,AN1-48!,AN2-2,AN2-2,AN2-2,AN2-2,AN1-80,AN1-48]"
_HEALTH: Final = "[ID1-3!,AN1-30!,ID2-3,AN1-35,R1-18,R1-15,AN1-30,AN1-30,ID1-1]"
_STATUS: Final = "[AN1-30!,AN1-30!,ID2-3,ID1-3]"
_POINTERS: Final = "[N1-2!,N1-2,N1-2,N1-2]"
_REFERENCE: Final = "[ID2-3!,AN1-50!,ID2-3,AN1-50,ID2-3,AN1-50]"
_FACILITY: Final = "[AN1-2!,ID1-2,ID1-1]"
_ACCIDENT: Final = "[ID2-3!,ID2-3,ID2-3,ID2-2,ID2-3]"
_UNIT: Final = "[ID2-2!,R1-15,R1-10,ID2-2,R1-15,R1-10]"

_SEGMENTS: Final = f"""
ISA ID2-2! AN10-10! ID2-2! AN10-10! ID2-2! AN15-15! ID2-2! AN15-15! AN6-6! TM4-4! SEP1-1! ID5-5! N9-9! ID1-1! ID1-1! SEP1-1!
IEA N1-5! N9-9!
TA1 N9-9! AN6-6! TM4-4! ID1-1! ID3-3!
GS ID2-2! AN2-15! AN2-15! DT8-8! TM4-8! N1-9! ID1-2! AN1-12!
GE N1-6! N1-9!
ST ID3-3! AN4-9! AN1-35
SE N1-10! AN4-9!
BHT ID4-4! ID2-2! AN1-50 DT8-8 TM4-8 ID2-2
BGN ID2-2! AN1-50! DT8-8! TM4-8 ID2-2 AN1-50 ID2-2 ID1-2 ID2-2
NM1 ID2-3! ID1-1! AN1-60 AN1-35 AN1-25 AN1-10 AN1-10 ID1-2 AN2-80 ID2-2 ID2-3 AN1-60
N1 ID2-3! AN1-60 ID1-2 AN2-80 ID2-2 ID2-3
N2 AN1-60! AN1-60
N3 AN1-55! AN1-55
N4 AN2-30 ID2-2 ID3-15 ID2-3 ID1-2 AN1-30 ID1-3
PER ID2-2! AN1-60 ID2-2 AN1-256 ID2-2 AN1-256 ID2-2 AN1-256 AN1-20
REF ID2-3! AN1-50 AN1-80 {_REFERENCE}
HL AN1-12! AN1-12 ID1-2! ID1-1
PRV ID1-3! ID2-3 AN1-50 ID2-2 [ID2-3,ID3-3,AN1-50] ID3-3
SBR ID1-1! ID2-2 AN1-50 AN1-60 ID1-3 ID1-1 ID1-1 ID2-2 ID1-2
PAT ID2-2 ID1-1 ID2-2 ID1-1 ID2-3 AN1-35 ID2-2 R1-10 ID1-1
DMG ID2-3 AN1-35 ID1-1 ID1-1 [ID1-1,ID1-3,AN1-30]^ ID1-2 ID2-3 ID1-2 R1-15 ID1-3 AN1-30
CLM AN1-38! R1-18 ID1-2 ID1-2 {_FACILITY} ID1-1 ID1-1 ID1-1 ID1-2 ID1-1 {_ACCIDENT} ID2-3 ID1-1 ID1-3 ID1-1 ID1-1 ID1-2 ID1-1 ID2-2 ID1-2
DTP ID3-3! ID2-3! AN1-35!
CL1 ID1-1 ID1-1 ID1-2 ID1-1
PWK ID2-2! ID1-2 N1-2 ID2-3 ID1-2 AN2-80 AN1-80 [ID1-2,ID1-2] ID1-2
CN1 ID2-2! R1-18 R1-6 AN1-50 R1-6 AN1-30
AMT ID1-3! R1-18! ID1-1
K3 AN1-80! ID1-2 {_UNIT}
NTE ID3-3 AN1-80!
CR1 ID2-2 R1-10 ID1-1 ID1-1 ID2-2 R1-15 AN1-55 AN1-55 AN1-80 AN1-80
CR2 N1-9 R1-15 ID2-3 ID2-3 ID2-2 R1-15 R1-15 ID1-1 ID1-1 AN1-80 AN1-80 ID1-1
CR3 ID1-1 ID2-2 R1-15 ID1-1 AN1-80
CR5 ID1-1 R1-15 ID1-1 ID1-1 AN1-80 R1-15 R1-15 R1-15 AN1-80 R1-15 R1-15 R1-15 ID1-1 ID1-1 ID1-1 R1-15 ID1-1 ID1-1
CR6 ID1-1! DT8-8! ID2-3 AN1-35 DT8-8 ID1-1 ID1-1 ID1-1 DT8-8 ID2-2 AN1-48 DT8-8 DT8-8 DT8-8 ID2-3 AN1-35 ID1-2
CRC ID2-2! ID1-1! ID2-3! ID2-3 ID2-3 ID2-3 ID2-3
CR7 ID2-2! N1-9! N1-9!
HI {_HEALTH}! {_HEALTH}x11
HCP ID2-2 R1-18 R1-18 AN1-50 R1-9 AN1-50 R1-18 AN1-48 ID2-2 AN1-48 ID2-2 R1-15 ID2-2 ID1-2 ID1-2
QTY ID2-2! R1-15 {_UNIT} AN1-30
LX N1-6!
SV1 {_PROCEDURE}! R1-18 ID2-2 R1-15 AN1-2 ID1-2 {_POINTERS} R1-18 ID1-1 ID1-2 ID1-1 ID1-1 ID1-2 ID1-2 ID1-1 ID1-1 AN1-11 AN1-30 AN1-2 ID1-1 ID1-1
SV2 AN1-48 {_PROCEDURE} R1-18 ID2-2 R1-15 R1-10 R1-18 ID1-1 ID1-1 ID1-1
SV5 {_PROCEDURE}! ID2-2! R1-15! R1-18 R1-18 ID1-1 N1-9
SVD AN2-80! R1-18! {_PROCEDURE} AN1-48 R1-15 N1-6
CAS ID1-2! ID1-5! R1-18! R1-15 ID1-5 R1-18 R1-15 ID1-5 R1-18 R1-15 ID1-5 R1-18 R1-15 ID1-5 R1-18 R1-15 ID1-5 R1-18 R1-15
OI ID1-2 ID2-2 ID1-1 ID1-1 ID1-1 ID1-1
MIA R1-15! R1-15 R1-15 R1-18 AN1-50 R1-18x9 R1-15 R1-18x4 AN1-50x4 R1-18
MOA R1-10 R1-18 AN1-50x5 R1-18 R1-18
LIN AN1-20 ID2-2! AN1-48!
CTP ID2-2 ID3-3 R1-17 R1-15 {_UNIT} ID3-3 R1-10 R1-18
PS1 AN1-50! R1-18! ID2-2
MEA ID2-2 ID1-3 R1-20 {_UNIT}
LQ ID1-3 AN1-30
FRM AN1-20! ID1-1 AN1-50 DT8-8 R1-6
CUR ID2-3! ID3-3! R4-10 ID2-3 ID3-3
BPR ID1-2! R1-18! ID1-1! ID3-3! ID1-10 ID2-2 AN3-12 ID1-3 AN1-35 AN10-10 AN9-9 ID2-2 AN3-12 ID1-3 AN1-35 DT8-8 ID1-3 ID2-2 AN3-12 ID1-3 AN1-35
TRN ID1-2! AN1-50! AN10-10 AN1-50
DTM ID3-3! DT8-8 TM4-8 ID2-2 ID2-3 AN1-35
RDM ID1-2! AN1-60 AN1-256
TS3 AN1-50! AN1-2! DT8-8! R1-15! R1-18! R1-18x18 R1-18
TS2 R1-18x6 R1-15 R1-18x6 R1-15 R1-15 R1-15 R1-15 R1-18 R1-18
CLP AN1-38! ID1-2! R1-18! R1-18! R1-18 ID1-2 AN1-50 AN1-2 ID1-1 ID1-2 ID1-4 R1-15 R1-10 ID1-1
SVC {_PROCEDURE}! R1-18! R1-18 AN1-48 R1-15 {_PROCEDURE} R1-15
PLB AN1-50! DT8-8! [ID2-2!,AN1-50]! R1-18! [ID2-2!,AN1-50] R1-18 [ID2-2!,AN1-50] R1-18 [ID2-2!,AN1-50] R1-18 [ID2-2!,AN1-50] R1-18 [ID2-2!,AN1-50] R1-18
INS ID1-1! ID2-2! ID3-3 ID2-3 ID1-1 [ID1-1!,ID1-1,ID1-1] ID1-2 ID2-2 ID1-1 ID1-1 ID2-3 AN1-35 ID1-1 AN2-30 ID2-2 ID2-3 N1-9
ACT AN1-35! AN1-60 ID1-2 AN2-80 ID1-3 AN1-35 AN1-80 DT8-8 ID1-1
EC AN1-50 AN1-50 R1-10 ID1-1 ID1-1 ID1-2
ICM ID1-1! R1-18! R1-15 AN1-20 ID1-1 ID1-1 ID1-2 ID1-1 ID1-1
HLH ID1-1 R1-8 R1-10 R1-10 AN1-80 ID1-1
LUI ID1-2 AN2-80 AN1-80 ID1-2 ID1-1
DSB ID1-1! R1-15 ID1-6 ID1-1 R1-18 ID2-2 AN1-15
HD ID3-3! ID2-3 ID2-3 AN1-50 ID3-3 N1-9 N1-9 ID1-1 ID1-1 ID1-2 ID1-1
IDC AN1-50! ID1-1! R1-15 ID1-2
COB ID1-1 AN1-50 ID1-1 ID1-2^
LS AN1-4!
LE AN1-4!
EQ ID1-2^ {_PROCEDURE} ID3-3 ID1-3 {_POINTERS}
III ID1-3 AN1-30 ID2-2 AN1-264 R1-15 {_UNIT} ID1-2
EB ID1-2! ID3-3 ID1-2^ ID1-3 AN1-50 ID1-2 R1-18 R1-10 ID2-2 R1-15 ID1-1 ID1-1 {_PROCEDURE} {_POINTERS}
HSD ID2-2 R1-15 ID2-2 R1-6 ID1-2 N1-3 ID1-2 ID1-1
MSG AN1-264! ID2-2 N1-9
AAA ID1-1! ID2-2 ID2-2 ID1-1
MPI ID1-1! ID2-2! ID1-1! AN1-80 ID2-2 ID2-3 AN1-35
STC {_STATUS}! DT8-8 ID1-2 R1-18 R1-18 DT8-8 ID3-3 DT8-8 AN1-16 {_STATUS} {_STATUS} AN1-264
UM ID1-2! ID1-1 ID1-2 {_FACILITY} {_ACCIDENT} ID1-3 ID1-1 ID1-1 ID1-1 ID1-2
HCR ID1-2! AN1-50 AN1-30 ID1-1
AK1 ID2-2! N1-9! AN1-12
AK2 ID3-3! AN4-9! AN1-35
IK3 ID2-3! N1-10! AN1-4 ID1-3
CTX [AN1-35!,AN1-35]! ID2-3 N1-10 AN1-4 [N1-2!,N1-2,N1-4] [N1-4!,N1-4]
IK4 [N1-2!,N1-2,N1-4]! N1-4 ID1-3! AN1-99
IK5 ID1-1! ID1-3 ID1-3 ID1-3 ID1-3 ID1-3
AK9 ID1-1! N1-6! N1-6! N1-6! ID1-3 ID1-3 ID1-3 ID1-3 ID1-3
"""


class ElementRule(msgspec.Struct, frozen=True):
    """What one element, or one component of a composite, may be."""

    kind: str
    least: int
    most: int
    mandatory: bool
    repeatable: bool = False
    parts: "tuple[ElementRule, ...]" = ()


_SIMPLE: Final = re.compile(r"(ID|AN|N|R|DT|TM|SEP)(\d+)-(\d+)(!?)(\^?)")


def _rule(text: str) -> ElementRule:
    if text.startswith("["):
        inner, _, flags = text[1:].partition("]")
        parts = tuple(_rule(part) for part in inner.split(","))
        return ElementRule("composite", 1, 0, "!" in flags, "^" in flags, parts)
    found = _SIMPLE.fullmatch(text)
    if found is None:
        raise ValueError(f"the element table has an entry that cannot be read: {text}")
    kind, least, most, mandatory, repeatable = found.groups()
    return ElementRule(kind, int(least), int(most), bool(mandatory), bool(repeatable))


def _rules(texts: list[str]) -> tuple[ElementRule, ...]:
    rules: list[ElementRule] = []
    for text in texts:
        body, times, count = text.rpartition("x")
        rules.extend([_rule(body if times else text)] * (int(count) if times else 1))
    return tuple(rules)


SEGMENTS: Final[dict[str, tuple[ElementRule, ...]]] = {
    line.split()[0]: _rules(line.split()[1:]) for line in _SEGMENTS.strip().splitlines()
}

CHARACTERS: Final = "".join(chr(code) for code in range(0x20, 0x7F))  # X12's basic and extended sets, ASCII part


def value_pattern(rule: ElementRule, delimiters: Delimiters) -> str:
    """Return the regular expression of one value of a simple element, the separators in use excluded."""
    if rule.kind == "DT":
        return DATE_PATTERN if rule.most == 8 else r"\d{6}"
    if rule.kind == "TM":
        return TIME_PATTERN
    if rule.kind == "N":
        return rf"-?\d{{{rule.least},{rule.most}}}"
    if rule.kind == "R":
        return rf"-?(?=[\d.]{{{rule.least},{rule.most + 1}}}(?![\d.]))(?:\d{{1,{rule.most}}}(?:\.\d*)?|\.\d+)"
    if rule.kind == "SEP":
        return "."
    barred = (delimiters.element, delimiters.component, delimiters.repetition)
    sign = "[" + "".join(re.escape(sign) for sign in CHARACTERS if sign not in barred) + "]"
    most = "" if rule.most == 1 else rf"{sign}{{{max(rule.least - 1, 0)},{rule.most - 1}}}"
    return rf"(?! ){sign}{most}" if rule.kind == "ID" else rf"{sign}{{{rule.least},{rule.most}}}"


def _chain(patterns: list[tuple[str, bool]], separator: str) -> str:
    """Join patterns by a separator; those at the end that are not needed may be missing with their separators."""
    text = ""
    for number in range(len(patterns) - 1, -1, -1):
        pattern, needed = patterns[number]
        own = pattern if needed else f"(?:{pattern})?"
        text = own + text
        if number:
            text = f"{separator}{text}"
            if not any(need for _, need in patterns[number:]):
                text = f"(?:{text})?"
    return text


def segment_pattern(tag: str, delimiters: Delimiters) -> re.Pattern[str]:
    """Compile what the whole text of a segment looks like when its elements are all in order."""

    def element(rule: ElementRule) -> str:
        if rule.parts:
            inner = [(value_pattern(part, delimiters), part.mandatory) for part in rule.parts]
            one = _chain(inner, re.escape(delimiters.component))
        else:
            one = value_pattern(rule, delimiters)
        return f"(?:{one})(?:{re.escape(delimiters.repetition)}(?:{one}))*" if rule.repeatable else one

    parts = [(re.escape(tag), True), *((element(rule), rule.mandatory) for rule in SEGMENTS[tag])]
    return re.compile(
        _chain(parts, re.escape(delimiters.element)) + r"(?<!" + re.escape(delimiters.element) + ")", re.ASCII
    )
