"""Codes whose shape tells that they are wrong: check digits and forms, no tables (LOINC, SNOMED CT, UCUM, NPI, ICD-10-CM).

Each check answers None, or the severity of the fault and what was expected. A system that is not listed is not judged.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from salus.interop.fhir.fhirpath.units import known
from salus.interop.npi import luhn, npi_valid

Fault: TypeAlias = tuple[str, str] | None

_LOINC: Final = re.compile(r"(?P<term>[0-9]{1,7})-(?P<check>[0-9])|(?:LA|LL|LG|LP)[0-9]{1,8}-[0-9]|MTHU[0-9]+")
_SNOMED: Final = re.compile(r"[1-9][0-9]{5,17}")
_ICD10CM: Final = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?")
_UCUM: Final = re.compile(r"(?:[!-z|~]|\{[!-~]*\})+")

# Verhoeff's dihedral group table and its permutation (SNOMED CT Technical Implementation Guide, check digit)
_GROUP: Final = tuple(
    tuple((a + b) % 5 if a < 5 and b < 5 else (a + b) % 5 + 5 if a < 5 else (a - b) % 5 + 5 if b < 5 else (a - b) % 5
          for b in range(10))
    for a in range(10)
)  # fmt: skip
_STEP: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _permutations() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10))]
    for _ in range(7):
        rows.append(tuple(rows[-1][one] for one in _STEP))
    return tuple(rows)


_PERMUTED: Final = _permutations()


def verhoeff(digits: str) -> bool:
    """Tell whether the last digit is Verhoeff's check digit."""
    state = 0
    for place, digit in enumerate(reversed(digits)):
        state = _GROUP[state][_PERMUTED[place % 8][int(digit)]]
    return state == 0


def _loinc(code: str) -> Fault:
    found = _LOINC.fullmatch(code)
    if found is None:
        return "error", "a LOINC code (digits, hyphen, check digit)"
    if found["term"] is None or luhn(found["term"] + found["check"]):  # answers and parts follow another rule
        return None
    return "error", "a LOINC code whose check digit is right"


def _snomed(code: str) -> Fault:
    if any(sign in code for sign in ":+|= "):
        return None  # a post-coordinated expression: its grammar is not judged here
    good = _SNOMED.fullmatch(code) and verhoeff(code)
    return None if good else ("error", "a SNOMED CT identifier whose check digit is right")


def _ucum(code: str) -> Fault:
    if not _UCUM.fullmatch(code):
        return "error", "a UCUM code: ASCII without blanks"
    return None if known(code) else ("warning", "a UCUM code made of units known here")


def _icd10cm(code: str) -> Fault:
    return None if _ICD10CM.fullmatch(code) else ("error", "an ICD-10-CM code (letter, digits, point after the third)")


def npi(value: str) -> Fault:
    """Check a National Provider Identifier."""
    return None if npi_valid(value) else ("warning", "an NPI of ten digits whose check digit is right")


SHAPES: Final[dict[str, Callable[[str], Fault]]] = {
    "http://loinc.org": _loinc,
    "http://snomed.info/sct": _snomed,
    "http://unitsofmeasure.org": _ucum,
    "http://hl7.org/fhir/sid/icd-10-cm": _icd10cm,
}
IDENTIFIERS: Final[dict[str, Callable[[str], Fault]]] = {"http://hl7.org/fhir/sid/us-npi": npi}
