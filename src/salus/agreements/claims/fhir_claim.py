"""A claim as FHIR R4 Claim, with everything that the rules and the 837 know of it.

Persons, organisations and coverages are contained. What R4 has no element for (frequency, ranks, what payers before decided)
stands in extensions whose names begin with `urn:salus:x12:`; `fhir_claim_read` reads all of it back.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from salus.agreements.claims.fhir_terms import (
    CLAIM_TYPE,
    HCPCS,
    KINDS,
    MS_DRG,
    NPI,
    PLACE,
    RELATIONSHIP,
    REVENUE,
    X12,
    concept,
    day,
    decimal,
    diagnosis,
    money,
    period,
)
from salus.interop.x12.claim import NOBODY, Adjustment, Claim, Line, OtherPayer, Party, Person

RELATIONS: Final = {"18": "self", "01": "spouse", "19": "child"}
SEXES: Final = {"F": "female", "M": "male", "U": "unknown"}
_PRIORITY: Final = "http://terminology.hl7.org/CodeSystem/processpriority"
_RELATED: Final = "http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship"
_CLASS: Final = "http://terminology.hl7.org/CodeSystem/coverage-class"
_INFORMATION: Final = "http://terminology.hl7.org/CodeSystem/claiminformationcategory"
_ROLE: Final = "http://terminology.hl7.org/CodeSystem/claimcareteamrole"


def extensions(told: Mapping[str, str]) -> dict[str, Any]:
    """Return what is not empty as extensions, or nothing."""
    found = [{"url": X12 + name, "valueString": value} for name, value in told.items() if value]
    return {"extension": found} if found else {}


def write_claim(claim: Claim, created: str, *, use: str = "claim") -> bytes:
    """Return the resource as JSON. `created` is CCYYMMDD; `use` is claim or preauthorization."""
    return msgspec.json.encode(claim_resource(claim, created, use=use))


def claim_resource(claim: Claim, created: str, *, use: str = "claim") -> dict[str, Any]:
    """Return the resource of a claim."""
    renderings = (claim.rendering, *(line.rendering for line in claim.lines))
    team = [one for one in dict.fromkeys(renderings) if one != NOBODY]
    resource: dict[str, Any] = {
        "resourceType": "Claim",
        "contained": _contained(claim, team),
        "extension": [*_of_claim(claim), *_reference_to("submitter"), *_reference_to("receiver")],
        "identifier": [{"system": X12 + "clm01", "value": claim.identifier}],
        "status": "active",
        "type": concept(CLAIM_TYPE, KINDS[claim.kind]),
        "use": use,
        "patient": {"reference": "#patient"},
        "billablePeriod": period(claim.first, claim.last),
        "created": day(created),
        "insurer": {"reference": "#payer"},
        "provider": {"reference": "#billing"},
        "priority": concept(_PRIORITY, "normal"),
        "insurance": [_focal(claim), *(_insurance(place, one) for place, one in enumerate(claim.others, 2))],
        "item": [_item(line, team) for line in claim.lines],
        "total": money(claim.charge),
    }
    if claim.original:
        resource["related"] = [
            {"relationship": concept(_RELATED, "prior"), "reference": {"system": X12 + "f8", "value": claim.original}}
        ]
    if team:
        resource["careTeam"] = [_member(place, one, claim) for place, one in enumerate(team, 1)]
    if claim.diagnoses:
        resource["diagnosis"] = _diagnoses(claim)
    if claim.admitted:
        category = concept(_INFORMATION, "hospitalized")
        resource["supportingInfo"] = [{"sequence": 1, "category": category, "timingDate": day(claim.admitted)}]
    return resource


def _of_claim(claim: Claim) -> list[dict[str, Any]]:
    kind, source, status = claim.stay
    told = {
        "facility": claim.facility,
        "frequency": claim.frequency,
        "trace": claim.trace,
        "assigned": "A" if claim.assigned else "C",
        "admission-type": kind,
        "admission-source": source,
        "patient-status": status,
        "drg": "" if claim.diagnoses else claim.drg,
    }
    found: list[dict[str, Any]] = extensions(told).get("extension", [])
    return found


def _reference_to(name: str) -> list[dict[str, Any]]:
    return [{"url": X12 + name, "valueReference": {"reference": f"#{name}"}}]


def _contained(claim: Claim, team: Iterable[Party]) -> list[dict[str, Any]]:
    organisations = {
        "payer": (claim.payer, X12 + "payer"),
        "billing": (claim.billing, NPI),
        "submitter": (claim.submitter, X12 + "trader"),
        "receiver": (claim.receiver, X12 + "trader"),
        **{f"team-{place}": (one, NPI) for place, one in enumerate(team, 1)},
    }
    return [
        _person("patient", claim.patient),
        _person("subscriber", claim.subscriber),
        *(_party(name, party, system) for name, (party, system) in organisations.items()),
        _coverage("coverage", claim),
        *(part for place, one in enumerate(claim.others, 2) for part in _other(f"coverage-{place}", one)),
    ]


def _address(one: Party | Person) -> dict[str, Any]:
    line = {"line": [one.street]} if one.street else {}
    rest = {"city": one.city, "state": one.state, "postalCode": one.zip}
    told = line | {name: value for name, value in rest.items() if value}
    return {"address": [told]} if told else {}


def _person(name: str, one: Person) -> dict[str, Any]:
    sex = SEXES.get(one.sex, "")
    born = {"birthDate": day(one.birth)} if len(one.birth) == 8 else {}
    return {
        "resourceType": "Patient",
        "id": name,
        **extensions({"sex": "" if sex else one.sex, "birth": "" if born else one.birth}),
        **({"identifier": [{"system": X12 + "member", "value": one.member}]} if one.member else {}),
        **_name(one.last, one.first),
        **({"gender": sex} if sex else {}),
        **born,
        **_address(one),
    }


def _name(last: str, first: str) -> dict[str, Any]:
    told = ({"family": last} if last else {}) | ({"given": [first]} if first else {})
    return {"name": [told]} if told else {}


def _party(name: str, one: Party, system: str) -> dict[str, Any]:
    numbers = ((system, one.identifier), (X12 + "tax", one.tax))
    identifiers = [{"system": system, "value": value} for system, value in numbers if value]
    return {
        "resourceType": "Organization",
        "id": name,
        **extensions({"taxonomy": one.taxonomy, "given": one.first}),
        **({"identifier": identifiers} if identifiers else {}),
        **({"name": one.name} if one.name else {}),
        **({"telecom": [{"system": "phone", "value": one.telephone}]} if one.telephone else {}),
        **_address(one),
    }


def _relationship(code: str) -> dict[str, Any]:
    codings = [{"system": RELATIONSHIP, "code": RELATIONS.get(code, "other")}]
    return {"coding": [*codings, {"system": X12 + "relationship", "code": code}]} if code else {"coding": codings}


def _coverage(name: str, claim: Claim) -> dict[str, Any]:
    group = {"class": [{"type": concept(_CLASS, "group"), "value": claim.group}]} if claim.group else {}
    return {
        "resourceType": "Coverage",
        "id": name,
        **extensions({"rank": claim.rank, "filing": claim.filing}),
        "status": "active",
        "subscriber": {"reference": "#subscriber"},
        **({"subscriberId": claim.subscriber.member} if claim.subscriber.member else {}),
        "beneficiary": {"reference": "#patient"},
        "relationship": _relationship(claim.relationship),
        "payor": [{"reference": "#payer"}],
        **group,
    }


def _other(name: str, one: OtherPayer) -> list[dict[str, Any]]:
    payer = {
        "resourceType": "Organization",
        "id": f"{name}-payer",
        **({"identifier": [{"system": X12 + "payer", "value": one.payer}]} if one.payer else {}),
        **({"name": one.name} if one.name else {}),
    }
    coverage = {
        "resourceType": "Coverage",
        "id": name,
        **extensions({"rank": one.rank, "filing": one.filing, "subscriber": one.last}),
        "status": "active",
        **({"subscriberId": one.member} if one.member else {}),
        "beneficiary": {"reference": "#patient"},
        "relationship": _relationship(one.relationship),
        "payor": [{"reference": f"#{name}-payer"}],
    }
    return [payer, coverage]


def _focal(claim: Claim) -> dict[str, Any]:
    told: dict[str, Any] = {"sequence": 1, "focal": True, "coverage": {"reference": "#coverage"}}
    if claim.authorisation:
        told["preAuthRef"] = [claim.authorisation]
    return told


def _adjustments(adjustments: Iterable[Adjustment]) -> list[dict[str, Any]]:
    return [
        {
            "url": X12 + "adjustment",
            "extension": [
                {"url": "group", "valueString": one.group},
                {"url": "reason", "valueString": one.reason},
                {"url": "amount", "valueMoney": money(one.amount)},
            ],
        }
        for one in adjustments
    ]


def _insurance(place: int, one: OtherPayer) -> dict[str, Any]:
    told = [{"url": X12 + "paid", "valueMoney": money(one.paid)}] if one.paid is not None else []
    more: list[dict[str, Any]] = extensions({"decided": one.decided}).get("extension", [])
    found = [*told, *more, *_adjustments(one.adjustments)]
    return {
        **({"extension": found} if found else {}),
        "sequence": place,
        "focal": False,
        "coverage": {"reference": f"#coverage-{place}"},
    }


def _member(place: int, one: Party, claim: Claim) -> dict[str, Any]:
    told: dict[str, Any] = {"sequence": place, "provider": {"reference": f"#team-{place}"}}
    if one == claim.rendering:
        told["responsible"] = True
    return told | {"role": concept(_ROLE, "primary" if one == claim.rendering else "assist")}


def _diagnoses(claim: Claim) -> list[dict[str, Any]]:
    found = [
        {"sequence": place, "diagnosisCodeableConcept": concept(*diagnosis(code, claim.last))}
        for place, code in enumerate(claim.diagnoses, 1)
    ]
    if claim.drg:
        found[0]["packageCode"] = concept(MS_DRG, claim.drg)
    return found


def _item(line: Line, team: list[Party]) -> dict[str, Any]:
    found: list[dict[str, Any]] = extensions({"control": line.control, "authorisation": line.authorisation}).get(
        "extension", []
    )
    for one in line.decisions:
        named = (("payer", one.payer), ("decided", one.decided))
        parts: list[dict[str, Any]] = [{"url": url, "valueString": value} for url, value in named if value]
        parts.append({"url": "paid", "valueMoney": money(one.paid)})
        found.append({"url": X12 + "decision", "extension": [*parts, *_adjustments(one.adjustments)]})
    item: dict[str, Any] = {
        **({"extension": found} if found else {}),
        "sequence": line.number,
        "productOrService": concept(HCPCS, line.procedure) if line.procedure else concept(REVENUE, line.revenue),
        "servicedPeriod": period(line.first, line.last),
        "quantity": {"value": decimal(line.units, 3), "unit": line.basis},
        "net": money(line.charge),
    }
    if line.rendering != NOBODY:
        item["careTeamSequence"] = [team.index(line.rendering) + 1]
    if line.pointers:
        item["diagnosisSequence"] = list(line.pointers)
    if line.revenue:
        item["revenue"] = concept(REVENUE, line.revenue)
    if line.modifiers:
        item["modifier"] = [concept(HCPCS, one) for one in line.modifiers]
    if line.place:
        item["locationCodeableConcept"] = concept(PLACE, line.place)
    return item
