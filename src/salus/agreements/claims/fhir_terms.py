"""Code systems and the forms of values that claims take in FHIR R4. Money is integer cents, written without a float."""

from functools import lru_cache
from typing import Any, Final

import msgspec

from salus.interop.x12.codes import ICD10_FROM

ADJUDICATION: Final = "http://terminology.hl7.org/CodeSystem/adjudication"
CARIN: Final = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication"
CLAIM_TYPE: Final = "http://terminology.hl7.org/CodeSystem/claim-type"
CAS_REASON: Final = "https://x12.org/codes/claim-adjustment-reason-codes"
ICD9: Final = "http://hl7.org/fhir/sid/icd-9-cm"
ICD10: Final = "http://hl7.org/fhir/sid/icd-10-cm"
HCPCS: Final = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
REVENUE: Final = "https://www.nubc.org/CodeSystem/RevenueCodes"
PLACE: Final = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
NPI: Final = "http://hl7.org/fhir/sid/us-npi"
MS_DRG: Final = "https://www.cms.gov/Medicare/Medicare-Fee-for-Service-Payment/AcuteInpatientPPS/MS-DRG-Classifications-and-Software"
RELATIONSHIP: Final = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
X12: Final = "urn:salus:x12:"
"""Begins the names of what the guides know and R4 has no element for: systems and extensions."""
REMEMBERED: Final = 4096  # amounts and days stand in an explanation many times, and the same ones in many
KINDS: Final = {"P": "professional", "I": "institutional"}


@lru_cache(maxsize=REMEMBERED)
def decimal(value: int, places: int) -> msgspec.Raw:
    """Return a scaled integer as a JSON number."""
    sign, digits = ("-" if value < 0 else ""), str(abs(value)).rjust(places + 1, "0")
    return msgspec.Raw(f"{sign}{digits[:-places]}.{digits[-places:]}".encode())


def money(cents: int) -> dict[str, Any]:
    """Return cents as Money."""
    return {"value": decimal(cents, 2), "currency": "USD"}


@lru_cache(maxsize=REMEMBERED)
def day(text: str) -> str:
    """Return CCYYMMDD as a FHIR date."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def concept(system: str, code: str, text: str = "") -> dict[str, Any]:
    """Return a CodeableConcept with one coding."""
    told: dict[str, Any] = {"coding": [{"system": system, "code": code}]}
    if text:
        told["text"] = text
    return told


def diagnosis(code: str, last: str) -> tuple[str, str]:
    """Return system and code of a diagnosis of an 837, which has no dot, of a claim whose service ended on `last`.

    The edition changed by day (45 CFR 162.1002); only the causes of ICD-9-CM (E) have four characters before the dot.
    """
    system = ICD10 if last >= ICD10_FROM else ICD9
    head = 4 if system == ICD9 and code[:1] == "E" else 3
    return system, f"{code[:head]}.{code[head:]}" if len(code) > head and "." not in code else code


def period(first: str, last: str) -> dict[str, str]:
    """Return two days as a Period."""
    return {name: day(text) for name, text in (("start", first), ("end", last)) if text}
