"""What a payer answers as FHIR R4 ClaimResponse, to a claim and to a request for prior authorisation; and Coverage."""

from collections.abc import Sequence
from typing import Any, Final

from salus.agreements.claims.decision import Decision
from salus.agreements.claims.eob import adjudications, totals
from salus.agreements.claims.fhir_terms import CLAIM_TYPE, KINDS, NPI, X12, concept, day, decimal, money, period
from salus.interop.x12.claim import Claim, Party, Person
from salus.interop.x12.review import CERTIFIED, DENIED, MODIFIED, Answered, Review

REVIEW: Final = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-reviewAction"
_CASE: Final = "urn:salus:claims:case"
_WORDS: Final = {CERTIFIED: "certified", MODIFIED: "certified in part", DENIED: "not certified"}
_ERROR: Final = X12 + "277ca"
_PAYMENT: Final = "http://terminology.hl7.org/CodeSystem/ex-paymenttype"


def claim_response(
    claim: Claim, case: str, created: str, decision: Decision | None, *, refused: bool
) -> dict[str, Any]:
    """Return the answer to a claim as far as there is one: queued before it is decided, an error where it was refused."""
    answer = _answer(case, created, claim.payer, claim.billing, _patient(claim.patient, claim.subscriber.member))
    answer |= {"type": concept(CLAIM_TYPE, KINDS[claim.kind]), "use": "claim"}
    answer["request"] = {"identifier": {"system": X12 + "clm01", "value": claim.identifier}}
    if refused:
        answer |= {"outcome": "error", "error": [{"code": concept(_ERROR, "refused", "the payer refused the claim")}]}
    elif decision is None or decision.status == "pended":
        answer["outcome"] = "queued"
    else:
        answer |= {
            "outcome": "complete",
            "disposition": decision.status,
            "item": [{"itemSequence": one.number, "adjudication": adjudications(one)} for one in decision.lines],
            "total": totals(decision),
            "payment": {
                "type": concept(_PAYMENT, "complete"),
                "date": day(decision.decided),
                "amount": money(decision.paid + decision.interest),
            },
        }
    return answer


def approval_response(
    review: Review, case: str, created: str, answers: Sequence[Answered], *, refused: bool
) -> dict[str, Any]:
    """Return the answer to a request for prior authorisation; no answers before it is decided."""
    answer = _answer(case, created, review.payer, review.provider, _patient(review.patient, review.patient.member))
    answer |= {"type": concept(CLAIM_TYPE, "professional"), "use": "preauthorization"}
    answer["request"] = {"identifier": {"system": X12 + "bht03", "value": review.trace}}
    if refused:
        told = concept(_ERROR, "refused", "the payer refused the request")
        answer |= {"outcome": "error", "error": [{"code": told}]}
    elif not answers:
        answer["outcome"] = "queued"
    else:
        denied = [one for one in answers if one.action == DENIED]
        given = [one for one in answers if one.number]
        answer |= {
            "outcome": "complete" if not denied or len(denied) == len(answers) else "partial",
            "disposition": "; ".join(dict.fromkeys(_WORDS.get(one.action, one.action) for one in answers)),
            "item": [_reviewed(number, one) for number, one in enumerate(answers, 1)],
        }
        if given:
            answer["preAuthRef"] = given[0].number
            first, last = min(one.service.first for one in given), max(one.service.last for one in given)
            answer["preAuthPeriod"] = period(first, last)
    return answer


def _reviewed(number: int, one: Answered) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"url": "number", "valueString": one.number}] if one.number else []
    parts.append({"url": "code", "valueCodeableConcept": concept(X12 + "306", one.action)})
    told: dict[str, Any] = {
        "extension": [{"url": REVIEW, "extension": parts}],
        "category": concept(X12 + "review", "units"),
        "value": decimal(one.service.units, 3),
    }
    if one.reason:
        told["reason"] = {"text": one.reason}
    return {"itemSequence": number, "adjudication": [told]}


def coverage(claim: Claim, plan: str) -> dict[str, Any]:
    """Return a patient's cover under a plan, as the payer keeps it: who is covered, by whom, under which number."""
    return {
        "resourceType": "Coverage",
        "id": f"cover-{claim.payer.identifier}".replace("_", "-")[:64],
        "identifier": [{"system": f"urn:payer:{claim.payer.identifier}", "value": claim.subscriber.member}],
        "status": "active",
        "subscriberId": claim.subscriber.member,
        "beneficiary": _patient(claim.patient, claim.subscriber.member),
        "payor": [_party(claim.payer, f"urn:payer:{claim.payer.identifier}")],
        "class": [
            {"type": concept("http://terminology.hl7.org/CodeSystem/coverage-class", "plan"), "value": plan},
        ],
    }


def _answer(case: str, created: str, payer: Party, provider: Party, patient: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "ClaimResponse",
        "id": case,
        "identifier": [{"system": _CASE, "value": case}],
        "status": "active",
        "patient": patient,
        "created": day(created),
        "insurer": _party(payer, X12 + "payer"),
        "requestor": _party(provider, NPI),
    }


def _party(one: Party, system: str) -> dict[str, Any]:
    told: dict[str, Any] = {"identifier": {"system": system, "value": one.identifier}} if one.identifier else {}
    return told | ({"display": one.name} if one.name else {})


def _patient(one: Person, member: str) -> dict[str, Any]:
    return {"identifier": {"system": X12 + "member", "value": member or one.member}}
