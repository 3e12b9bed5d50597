"""A decision as FHIR R4 ExplanationOfBenefit, with the adjudication categories of CARIN Blue Button.

Amounts are written as JSON numbers from integer cents, never through floating point.
"""

from typing import Any

import msgspec

from salus.agreements.claims.decision import DecidedLine, Decision
from salus.agreements.claims.fhir_terms import (
    ADJUDICATION,
    CARIN,
    CAS_REASON,
    CLAIM_TYPE,
    HCPCS,
    ICD10,
    KINDS,
    NPI,
    PLACE,
    REVENUE,
    concept,
    day,
    decimal,
    diagnosis,
    money,
    period,
)
from salus.interop.x12.claim import Line


def _amounts(line: DecidedLine) -> list[tuple[str, str, int]]:
    by = {"PR-1": 0, "PR-2": 0, "PR-3": 0, "CO-45": 0, "OA-23": 0}
    for reason in line.reasons:
        key = f"{reason.group}-{reason.code}"
        if key in by:
            by[key] += reason.amount
    denied = line.charge if line.denied else 0
    return [
        (ADJUDICATION, "submitted", line.charge),
        (ADJUDICATION, "eligible", line.allowed),
        (ADJUDICATION, "deductible", by["PR-1"]),
        (CARIN, "coinsurance", by["PR-2"]),
        (ADJUDICATION, "copay", by["PR-3"]),
        (CARIN, "discount", by["CO-45"]),
        (CARIN, "noncovered", denied),
        (CARIN, "priorpayerpaid", by["OA-23"]),
        (CARIN, "memberliability", line.patient),
        (CARIN, "paidtoprovider", line.paid),
    ]


def adjudications(decided: DecidedLine) -> list[dict[str, Any]]:
    """Return what was decided on a line, amount by amount, then each reason."""
    found = [{"category": concept(system, code), "amount": money(amount)} for system, code, amount in _amounts(decided)]
    found.extend(
        {
            "category": concept(CARIN, "denialreason"),
            "reason": concept(CAS_REASON, reason.code, reason.words),
            "amount": money(reason.amount),
        }
        for reason in decided.reasons
    )
    return found


def totals(decision: Decision) -> list[dict[str, Any]]:
    """Return the sums of a decision, amount by amount."""
    sums: dict[tuple[str, str], int] = {}
    for line in decision.lines:
        for system, code, amount in _amounts(line):
            sums[system, code] = sums.get((system, code), 0) + amount
    return [{"category": concept(system, code), "amount": money(amount)} for (system, code), amount in sums.items()]


def _item(line: Line, decided: DecidedLine) -> dict[str, Any]:
    product = concept(HCPCS, line.procedure) if line.procedure else concept(REVENUE, line.revenue)
    item: dict[str, Any] = {
        "sequence": line.number,
        "productOrService": product,
        "servicedPeriod": period(line.first, line.last),
        "quantity": {"value": decimal(line.units, 3)},
        "net": money(line.charge),
        "adjudication": adjudications(decided),
    }
    if line.place:
        item["locationCodeableConcept"] = concept(PLACE, line.place)
    if line.pointers:
        item["diagnosisSequence"] = list(line.pointers)
    if line.revenue:
        item["revenue"] = concept(REVENUE, line.revenue)
    if line.modifiers:
        item["modifier"] = [concept(HCPCS, modifier) for modifier in line.modifiers]
    return item


def explanation(decision: Decision) -> dict[str, Any]:
    """Return the resource of a decision. References are logical: identifiers, no addresses.

    A void leaves the explanation of what it takes back, cancelled.
    """
    if decision.status == "voided" and decision.reverses is not None:
        return explanation(decision.reverses) | {"status": "cancelled"}
    claim = decision.claim
    return {
        "resourceType": "ExplanationOfBenefit",
        "id": decision.control,
        "identifier": [{"system": f"urn:payer:{claim.payer.identifier}", "value": decision.control}],
        "status": "active",
        "type": concept(CLAIM_TYPE, KINDS[claim.kind]),
        "use": "claim",
        "patient": {"identifier": {"value": claim.subscriber.member}},
        "billablePeriod": period(claim.first, claim.last),
        "created": day(decision.decided),
        "insurer": {"identifier": {"value": claim.payer.identifier}, "display": claim.payer.name},
        "provider": {
            "identifier": {"system": NPI, "value": claim.billing.identifier},
            "display": claim.billing.name,
        },
        "outcome": "queued" if decision.status == "pended" else "complete",
        "disposition": decision.status,
        "diagnosis": [
            {"sequence": number, "diagnosisCodeableConcept": concept(ICD10, diagnosis(code))}
            for number, code in enumerate(claim.diagnoses, 1)
        ],
        "insurance": [
            {"focal": True, "coverage": {"identifier": {"value": claim.subscriber.member}, "display": decision.plan}}
        ],
        "item": [_item(line, decided) for line, decided in zip(claim.lines, decision.lines, strict=True)],
        "total": totals(decision),
        "payment": {"date": day(decision.decided), "amount": money(decision.paid + decision.interest)},
    }


def write_explanation(decision: Decision) -> bytes:
    """Return the resource as JSON."""
    return msgspec.json.encode(explanation(decision))
