"""A decision as FHIR R4 ExplanationOfBenefit, with the adjudication categories of CARIN Blue Button.

Amounts are written as JSON numbers from integer cents, never through floating point.
"""

from typing import Any, Final

import msgspec

from salus.agreements.claims.decision import DecidedLine, Decision
from salus.interop.x12.claim import Line

_HL7: Final = "http://terminology.hl7.org/CodeSystem/adjudication"
_CARIN: Final = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication"
_TYPE: Final = "http://terminology.hl7.org/CodeSystem/claim-type"
_REASON: Final = "https://x12.org/codes/claim-adjustment-reason-codes"
_ICD10: Final = "http://hl7.org/fhir/sid/icd-10-cm"
_HCPCS: Final = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
_REVENUE: Final = "https://www.nubc.org/CodeSystem/RevenueCodes"
_PLACE: Final = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
_NPI: Final = "http://hl7.org/fhir/sid/us-npi"


def _decimal(value: int, places: int) -> msgspec.Raw:
    sign, digits = ("-" if value < 0 else ""), str(abs(value)).rjust(places + 1, "0")
    return msgspec.Raw(f"{sign}{digits[:-places]}.{digits[-places:]}".encode())


def _money(cents: int) -> dict[str, Any]:
    return {"value": _decimal(cents, 2), "currency": "USD"}


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def _concept(system: str, code: str, text: str = "") -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": system, "code": code}]}
    if text:
        concept["text"] = text
    return concept


def _amounts(line: DecidedLine) -> list[tuple[str, str, int]]:
    by = {"PR-1": 0, "PR-2": 0, "PR-3": 0, "CO-45": 0, "OA-23": 0}
    for reason in line.reasons:
        key = f"{reason.group}-{reason.code}"
        if key in by:
            by[key] += reason.amount
    denied = line.charge if line.denied else 0
    return [
        (_HL7, "submitted", line.charge),
        (_HL7, "eligible", line.allowed),
        (_HL7, "deductible", by["PR-1"]),
        (_CARIN, "coinsurance", by["PR-2"]),
        (_HL7, "copay", by["PR-3"]),
        (_CARIN, "discount", by["CO-45"]),
        (_CARIN, "noncovered", denied),
        (_CARIN, "priorpayerpaid", by["OA-23"]),
        (_CARIN, "memberliability", line.patient),
        (_CARIN, "paidtoprovider", line.paid),
    ]


def _item(line: Line, decided: DecidedLine) -> dict[str, Any]:
    adjudication = [
        {"category": _concept(system, code), "amount": _money(amount)} for system, code, amount in _amounts(decided)
    ]
    adjudication.extend(
        {
            "category": _concept(_CARIN, "denialreason"),
            "reason": _concept(_REASON, reason.code, reason.words),
            "amount": _money(reason.amount),
        }
        for reason in decided.reasons
    )
    product = _concept(_HCPCS, line.procedure) if line.procedure else _concept(_REVENUE, line.revenue)
    item: dict[str, Any] = {
        "sequence": line.number,
        "productOrService": product,
        "servicedPeriod": {"start": _day(line.first), "end": _day(line.last)},
        "quantity": {"value": _decimal(line.units, 3)},
        "net": _money(line.charge),
        "adjudication": adjudication,
    }
    if line.place:
        item["locationCodeableConcept"] = _concept(_PLACE, line.place)
    if line.pointers:
        item["diagnosisSequence"] = list(line.pointers)
    if line.revenue:
        item["revenue"] = _concept(_REVENUE, line.revenue)
    if line.modifiers:
        item["modifier"] = [_concept(_HCPCS, modifier) for modifier in line.modifiers]
    return item


def explanation(decision: Decision) -> dict[str, Any]:
    """Return the resource of a decision. References are logical: identifiers, no addresses.

    A void leaves the explanation of what it takes back, cancelled.
    """
    if decision.status == "voided" and decision.reverses is not None:
        return explanation(decision.reverses) | {"status": "cancelled"}
    claim = decision.claim
    totals: dict[tuple[str, str], int] = {}
    for line in decision.lines:
        for system, code, amount in _amounts(line):
            totals[system, code] = totals.get((system, code), 0) + amount
    kind = "professional" if claim.kind == "P" else "institutional"
    return {
        "resourceType": "ExplanationOfBenefit",
        "id": decision.control,
        "identifier": [{"system": f"urn:payer:{claim.payer.identifier}", "value": decision.control}],
        "status": "active",
        "type": _concept(_TYPE, kind),
        "use": "claim",
        "patient": {"identifier": {"value": claim.subscriber.member}},
        "billablePeriod": {"start": _day(claim.first), "end": _day(claim.last)},
        "created": _day(decision.decided),
        "insurer": {"identifier": {"value": claim.payer.identifier}, "display": claim.payer.name},
        "provider": {
            "identifier": {"system": _NPI, "value": claim.billing.identifier},
            "display": claim.billing.name,
        },
        "outcome": "queued" if decision.status == "pended" else "complete",
        "disposition": decision.status,
        "diagnosis": [
            {"sequence": number, "diagnosisCodeableConcept": _concept(_ICD10, code)}
            for number, code in enumerate(claim.diagnoses, 1)
        ],
        "insurance": [
            {"focal": True, "coverage": {"identifier": {"value": claim.subscriber.member}, "display": decision.plan}}
        ],
        "item": [_item(line, decided) for line, decided in zip(claim.lines, decision.lines, strict=True)],
        "total": [
            {"category": _concept(system, code), "amount": _money(amount)} for (system, code), amount in totals.items()
        ],
        "payment": {"date": _day(decision.decided), "amount": _money(decision.paid + decision.interest)},
    }


def write_explanation(decision: Decision) -> bytes:
    """Return the resource as JSON."""
    return msgspec.json.encode(explanation(decision))
