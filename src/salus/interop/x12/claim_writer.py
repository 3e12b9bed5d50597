"""Writes claims as 837P (X222A1) or 837I (X223A2): one transaction set, one subscriber level per claim.

A claim is written as signed by the provider, its benefits assigned and its release on file (CLM06, CLM08, CLM09 = Y).
"""

from salus.interop.x12.claim import NOBODY, SELF, Adjustment, Claim, Line, OtherPayer, Party, Person
from salus.interop.x12.codes import ICD10_FROM
from salus.interop.x12.envelope import composite, words
from salus.interop.x12.guides.claim import INSTITUTIONAL, PROFESSIONAL
from salus.interop.x12.money import amount, quantity
from salus.interop.x12.tokens import Segment, segment


def period(first: str, last: str) -> tuple[str, str]:
    """Return format qualifier and value of a day or a range of days."""
    return ("D8", first) if first == last else ("RD8", f"{first}-{last}")


def adjustment_segments(adjustments: tuple[Adjustment, ...]) -> list[Segment]:
    """Write CAS segments: one per group, at most six reasons each."""
    groups: dict[str, list[str]] = {}
    for part in adjustments:
        groups.setdefault(part.group, []).extend((part.reason, amount(part.amount), ""))
    return [
        segment("CAS", group, *elements[start : start + 18])
        for group, elements in groups.items()
        for start in range(0, len(elements), 18)
    ]


def set_of(claims: tuple[Claim, ...], control: str, day: str, time: str) -> list[Segment]:
    """Write the claims of one submitter, receiver and kind as one transaction set without its SE."""
    first = claims[0]
    guide = PROFESSIONAL if first.kind == "P" else INSTITUTIONAL
    body = [
        segment("ST", "837", control, guide.version),
        segment("BHT", "0019", "00", control, day, time, "CH"),
        segment("NM1", "41", "2", words(first.submitter.name), "", "", "", "", "46", first.submitter.identifier),
        segment("PER", "IC", words(first.submitter.name), "TE", first.submitter.telephone),
        segment("NM1", "40", "2", words(first.receiver.name), "", "", "", "", "46", first.receiver.identifier),
    ]
    level, provider, current = 0, 0, None
    for claim in claims:
        if claim.billing != current:
            current, level = claim.billing, level + 1
            provider = level
            body.extend(_billing(claim.billing, level))
        own = claim.relationship == SELF
        level += 1
        body.extend(_subscriber(claim, level, provider, own=own))
        if not own:
            level += 1
            body.append(segment("HL", str(level), str(level - 1), "23", "0"))
            body.append(segment("PAT", claim.relationship))
            body.extend(_person("QC", claim.patient, named=False))
        body.extend(_claim(claim))
    return body


def _billing(party: Party, level: int) -> list[Segment]:
    parts = [segment("HL", str(level), "", "20", "1")]
    if party.taxonomy:
        parts.append(segment("PRV", "BI", "PXC", party.taxonomy))
    kind = "1" if party.first else "2"
    parts.append(segment("NM1", "85", kind, words(party.name), words(party.first), "", "", "", "XX", party.identifier))
    parts.append(segment("N3", words(party.street, 55)))
    parts.append(segment("N4", words(party.city, 30), party.state, party.zip))
    parts.append(segment("REF", "EI", party.tax))
    return parts


def _rendering(party: Party) -> Segment:
    kind = "1" if party.first else "2"
    return segment("NM1", "82", kind, words(party.name), words(party.first, 35), "", "", "", "XX", party.identifier)


def _person(role: str, person: Person, *, named: bool) -> list[Segment]:
    number = ("MI", person.member) if named else ("", "")
    parts = [segment("NM1", role, "1", words(person.last), words(person.first, 35), "", "", "", *number)]
    if person.street:
        parts.append(segment("N3", words(person.street, 55)))
        parts.append(segment("N4", words(person.city, 30), person.state, person.zip))
    if person.birth:
        parts.append(segment("DMG", "D8", person.birth, person.sex))
    return parts


def _subscriber(claim: Claim, level: int, provider: int, *, own: bool) -> list[Segment]:
    return [
        segment("HL", str(level), str(provider), "22", "0" if own else "1"),
        segment("SBR", claim.rank, SELF if own else "", claim.group, "", "", "", "", "", claim.filing),
        *_person("IL", claim.subscriber, named=True),
        segment("NM1", "PR", "2", words(claim.payer.name), "", "", "", "", "PI", claim.payer.identifier),
    ]


def _claim(claim: Claim) -> list[Segment]:
    professional = claim.kind == "P"
    facility = composite(claim.facility, "B" if professional else "A", claim.frequency)
    head = ["CLM", claim.identifier, amount(claim.charge), "", "", facility, "Y" if professional else ""]
    parts = [segment(*head, "A" if claim.assigned else "C", "Y", "Y")]
    if not professional:
        parts.append(segment("DTP", "434", "RD8", f"{claim.first}-{claim.last}"))
        if claim.admitted:
            parts.append(segment("DTP", "435", "D8", claim.admitted))
        parts.append(segment("CL1", *claim.stay))
    references = (("G1", claim.authorisation), ("F8", claim.original), ("D9", claim.trace))
    parts.extend(segment("REF", kind, value) for kind, value in references if value)
    parts.extend(_health(claim, professional=professional))
    if claim.rendering != NOBODY:
        parts.append(_rendering(claim.rendering))
    for other in claim.others:
        parts.extend(_other(other))
    for line in claim.lines:
        parts.extend(_line(line, professional=professional))
    return parts


def _health(claim: Claim, *, professional: bool) -> list[Segment]:
    first, further = ("ABK", "ABF") if claim.last >= ICD10_FROM else ("BK", "BF")
    principal = segment("HI", composite(first, claim.diagnoses[0]))
    rest = [composite(further, code) for code in claim.diagnoses[1:]]
    if professional:
        return [segment("HI", principal.get(1), *rest)]
    drg = [segment("HI", composite("DR", claim.drg))] if claim.drg else []
    more = [segment("HI", *rest[start : start + 12]) for start in range(0, len(rest), 12)]
    return [principal, *drg, *more]


def _other(other: OtherPayer) -> list[Segment]:
    paid = [] if other.paid is None else [segment("AMT", "D", amount(other.paid))]
    decided = [segment("DTP", "573", "D8", other.decided)] if other.decided else []
    return [
        segment("SBR", other.rank, other.relationship, "", "", "", "", "", "", other.filing or "CI"),
        *adjustment_segments(other.adjustments),
        *paid,
        segment("OI", "", "", "Y", "", "", "Y"),
        segment("NM1", "IL", "1", words(other.last), "", "", "", "", "MI", other.member),
        segment("NM1", "PR", "2", words(other.name), "", "", "", "", "PI", other.payer),
        *decided,
    ]


def _line(line: Line, *, professional: bool) -> list[Segment]:
    code = composite("HC", line.procedure, *line.modifiers) if line.procedure else ""
    units = quantity(line.units)
    if professional:
        pointers = composite(*(str(pointer) for pointer in line.pointers))
        service = segment("SV1", code, amount(line.charge), line.basis, units, line.place, "", pointers)
    else:
        service = segment("SV2", line.revenue, code, amount(line.charge), line.basis, units)
    parts = [segment("LX", str(line.number)), service, segment("DTP", "472", *period(line.first, line.last))]
    references = (("G1", line.authorisation), ("6R", line.control))
    parts.extend(segment("REF", kind, value) for kind, value in references if value)
    if line.rendering != NOBODY:
        parts.append(_rendering(line.rendering))
    for decision in line.decisions:
        revenue = "" if professional else line.revenue
        parts.append(segment("SVD", decision.payer, amount(decision.paid), code, revenue, units))
        parts.extend(adjustment_segments(decision.adjustments))
        parts.append(segment("DTP", "573", "D8", decision.decided))
    return parts
