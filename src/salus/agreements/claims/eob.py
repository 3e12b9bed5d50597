"""A decision as FHIR R4 ExplanationOfBenefit, with the adjudication categories of CARIN Blue Button.

Amounts are written as JSON numbers from integer cents, never through floating point. Each is checked, indexed and sealed
as often as it is written, so a category that came to nothing is left out where nobody would look for a zero.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import msgspec

from salus.agreements.claims.decision import DecidedLine, Decision
from salus.agreements.claims.fhir_terms import (
    ADJUDICATION,
    CARIN,
    CAS_REASON,
    CLAIM_TYPE,
    HCPCS,
    KINDS,
    NPI,
    PLACE,
    REMEMBERED,
    REVENUE,
    concept,
    day,
    decimal,
    diagnosis,
    money,
    period,
)
from salus.interop.x12.claim import Line

_LINE: Final = (
    (ADJUDICATION, "submitted", True),
    (ADJUDICATION, "eligible", True),
    (ADJUDICATION, "deductible", False),
    (CARIN, "coinsurance", False),
    (ADJUDICATION, "copay", False),
    (CARIN, "discount", False),
    (CARIN, "noncovered", False),
    (CARIN, "priorpayerpaid", False),
    (CARIN, "memberliability", True),
    (CARIN, "paidtoprovider", True),
)
"""Categories in their order; those that always stand, others where there is an amount: what is absent is zero."""
_PLACES: Final = {"PR-1": 2, "PR-2": 3, "PR-3": 4, "CO-45": 5, "OA-23": 7}


def _before_amount(told: dict[str, Any]) -> bytes:
    """Return an adjudication's JSON up to the amount's digits."""
    return msgspec.json.encode(told)[:-1] + b',"amount":{"value":'


_HEADS: Final = tuple((_before_amount({"category": concept(system, code)}), always) for system, code, always in _LINE)


@lru_cache(maxsize=1024)
def _reason_head(code: str, words: str) -> bytes:
    return _before_amount({"category": concept(CARIN, "denialreason"), "reason": concept(CAS_REASON, code, words)})


@lru_cache(maxsize=REMEMBERED)
def _adjudication(head: bytes, cents: int) -> msgspec.Raw:
    return msgspec.Raw(b'%b%b,"currency":"USD"}}' % (head, decimal(cents, 2)))


def _amounts(line: DecidedLine) -> list[int]:
    """Return a line's cents by category, in the order of `_LINE`."""
    denied = line.charge if line.denied else 0
    found = [line.charge, line.allowed, 0, 0, 0, 0, denied, 0, line.patient, line.paid]
    for reason in line.reasons:
        place = _PLACES.get(f"{reason.group}-{reason.code}")
        if place is not None:
            found[place] += reason.amount
    return found


def _told(amounts: Iterable[int]) -> list[msgspec.Raw]:
    return [
        _adjudication(head, amount) for (head, always), amount in zip(_HEADS, amounts, strict=True) if always or amount
    ]


def adjudications(decided: DecidedLine) -> list[msgspec.Raw]:
    """Return what was decided on a line as JSON objects: amount by amount, then each reason."""
    found = _told(_amounts(decided))
    found.extend(_adjudication(_reason_head(one.code, one.words), one.amount) for one in decided.reasons)
    return found


def totals(decision: Decision) -> list[msgspec.Raw]:
    """Return the sums of a decision as JSON objects, amount by amount."""
    sums = [sum(amounts) for amounts in zip(*map(_amounts, decision.lines), strict=True)]
    return _told(sums) if sums else []


@lru_cache(maxsize=REMEMBERED)
def _period(first: str, last: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(period(first, last)))


@lru_cache(maxsize=REMEMBERED)
def _money(cents: int) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(money(cents)))


@lru_cache(maxsize=REMEMBERED)
def _coded(system: str, code: str) -> msgspec.Raw:
    """Return a CodeableConcept as JSON: the same few stand in most claims."""
    return msgspec.Raw(msgspec.json.encode(concept(system, code)))


def _item(line: Line, decided: DecidedLine) -> dict[str, Any]:
    product = _coded(HCPCS, line.procedure) if line.procedure else _coded(REVENUE, line.revenue)
    item: dict[str, Any] = {
        "sequence": line.number,
        "productOrService": product,
        "servicedPeriod": _period(line.first, line.last),
        "quantity": {"value": decimal(line.units, 3)},
        "net": _money(line.charge),
        "adjudication": adjudications(decided),
    }
    if line.place:
        item["locationCodeableConcept"] = _coded(PLACE, line.place)
    if line.pointers:
        item["diagnosisSequence"] = list(line.pointers)
    if line.revenue:
        item["revenue"] = _coded(REVENUE, line.revenue)
    if line.modifiers:
        item["modifier"] = [_coded(HCPCS, modifier) for modifier in line.modifiers]
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
        "type": _coded(CLAIM_TYPE, KINDS[claim.kind]),
        "use": "claim",
        "patient": {"identifier": {"value": claim.subscriber.member}},
        "billablePeriod": _period(claim.first, claim.last),
        "created": day(decision.decided),
        "insurer": {"identifier": {"value": claim.payer.identifier}, "display": claim.payer.name},
        "provider": {
            "identifier": {"system": NPI, "value": claim.billing.identifier},
            "display": claim.billing.name,
        },
        "outcome": "queued" if decision.status == "pended" else "complete",
        "disposition": decision.status,
        "diagnosis": [
            {"sequence": number, "diagnosisCodeableConcept": _coded(*diagnosis(code, claim.last))}
            for number, code in enumerate(claim.diagnoses, 1)
        ],
        "insurance": [
            {"focal": True, "coverage": {"identifier": {"value": claim.subscriber.member}, "display": decision.plan}}
        ],
        "item": [_item(line, decided) for line, decided in zip(claim.lines, decision.lines, strict=True)],
        "total": totals(decision),
        "payment": {"date": day(decision.decided), "amount": _money(decision.paid + decision.interest)},
    }


def write_explanation(decision: Decision) -> bytes:
    """Return the resource as JSON."""
    return msgspec.json.encode(explanation(decision))
