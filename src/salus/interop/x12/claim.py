"""A claim as the rules see it: loop 2300 of an 837 and what surrounds it, parsed once into frozen types.

Money is in cents, quantities in thousandths, days CCYYMMDD. What the rules do not read stays in the segments.
"""

from typing import Final

import msgspec

from salus.interop.x12.calendar import first_day, last_day
from salus.interop.x12.level3 import service_of
from salus.interop.x12.level4 import DIAGNOSES, service_period
from salus.interop.x12.loops import Loop
from salus.interop.x12.money import cents, thousandths
from salus.interop.x12.tokens import Segment, tokenize


class Adjustment(msgspec.Struct, frozen=True, gc=False):
    """One reason of a CAS segment."""

    group: str
    reason: str
    amount: int
    """Cents; what is taken off the charge."""


class Party(msgspec.Struct, frozen=True, gc=False):
    """An organisation, or a person who acts as one: submitter, payer, provider."""

    name: str
    identifier: str = ""
    first: str = ""
    tax: str = ""
    taxonomy: str = ""
    street: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    telephone: str = ""
    """Of the contact, digits."""


NOBODY: Final = Party("")


class Person(msgspec.Struct, frozen=True, gc=False):
    """A subscriber or patient."""

    last: str
    first: str = ""
    member: str = ""
    birth: str = ""
    sex: str = "U"
    street: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""


class OtherPayer(msgspec.Struct, frozen=True, gc=False):
    """What a payer before us decided on the whole claim (loop 2320)."""

    rank: str
    payer: str
    name: str
    member: str
    last: str
    paid: int | None
    """Cents; None where it has not decided."""
    adjustments: tuple[Adjustment, ...] = ()
    filing: str = ""
    relationship: str = "18"
    decided: str = ""


class LineDecision(msgspec.Struct, frozen=True, gc=False):
    """What a payer before us decided on a line (loop 2430)."""

    payer: str
    paid: int
    decided: str
    adjustments: tuple[Adjustment, ...] = ()


class Line(msgspec.Struct, frozen=True, gc=False):
    """One service line (loop 2400)."""

    number: int
    procedure: str
    charge: int
    units: int
    """Thousandths."""
    first: str
    last: str
    modifiers: tuple[str, ...] = ()
    basis: str = "UN"
    place: str = ""
    revenue: str = ""
    pointers: tuple[int, ...] = ()
    rendering: Party = NOBODY
    control: str = ""
    authorisation: str = ""
    decisions: tuple[LineDecision, ...] = ()


class Claim(msgspec.Struct, frozen=True, gc=False):
    """One claim."""

    kind: str
    """P professional, I institutional."""
    identifier: str
    """CLM01, the provider's number."""
    charge: int
    facility: str
    """Place of service (P) or the first two digits of the type of bill (I)."""
    frequency: str
    submitter: Party
    receiver: Party
    billing: Party
    payer: Party
    subscriber: Person
    patient: Person
    relationship: str
    """18 self, 01 spouse, 19 child."""
    diagnoses: tuple[str, ...]
    lines: tuple[Line, ...]
    first: str
    last: str
    rank: str = "P"
    group: str = ""
    filing: str = "CI"
    original: str = ""
    """REF F8, the payer's number of the claim that this one replaces or voids."""
    authorisation: str = ""
    trace: str = ""
    """REF D9, the clearinghouse's number."""
    rendering: Party = NOBODY
    drg: str = ""
    admitted: str = ""
    others: tuple[OtherPayer, ...] = ()
    assigned: bool = True
    """CLM07 A or B: the provider takes the payer's allowed amount as full."""
    stay: tuple[str, str, str] = ("", "", "")
    """CL101 to CL103 of an institutional claim: type and source of admission, patient status."""


SELF: Final = "18"


def claim_number(file: bytes) -> str:
    """Return the provider's number (CLM01) of the first claim of an 837, empty where it has none; nothing else is read."""
    for segment, _ in tokenize([file]):
        if segment.tag == "CLM":
            return segment.get(1)
    return ""


def adjustments_of(loop: Loop) -> tuple[Adjustment, ...]:
    """Read the CAS segments of a loop."""
    return tuple(
        Adjustment(segment.get(1), segment.get(place), cents(segment.get(place + 1)))
        for segment in loop.all("CAS")
        for place in range(2, len(segment.elements), 3)
        if segment.get(place)
    )


def _values(loop: Loop) -> dict[str, Segment]:
    """Return the first segment of each tag of a loop."""
    found: dict[str, Segment] = {}
    for segment, _ in loop.segments:
        if segment.tag not in found:
            found[segment.tag] = segment
    return found


_NO_SEGMENT: Final = Segment("", "", [""], 0)


def _telephone(contact: Segment) -> str:
    return contact.get(4) if contact.get(3) == "TE" else ""


def _party(loop: Loop | None, around: Loop | None = None) -> Party:
    if loop is None:
        return NOBODY
    name, own = loop.first, _values(loop)
    tax = (loop.value("REF", 2, "EI") or loop.value("REF", 2, "SY")) if "REF" in own else ""
    taxonomy = around.value("PRV", 3) if around is not None else ""
    street, city = own.get("N3", _NO_SEGMENT).get(1), own.get("N4", _NO_SEGMENT)
    return Party(
        name.get(3),
        name.get(9),
        name.get(4),
        tax,
        taxonomy,
        street,
        city.get(1),
        city.get(2),
        city.get(3),
        _telephone(own.get("PER", _NO_SEGMENT)),
    )


def _rendering(loop: Loop) -> Party:
    for part in loop.children:
        if part.first.get(1) == "82":
            return _party(part)
    return NOBODY


def _person(loop: Loop | None, member: str = "") -> Person:
    if loop is None:
        return Person("")
    name, own = loop.first, _values(loop)
    birth, city = own.get("DMG", _NO_SEGMENT), own.get("N4", _NO_SEGMENT)
    return Person(
        name.get(3),
        name.get(4),
        name.get(9) or member,
        birth.get(2),
        birth.get(3) or "U",
        own.get("N3", _NO_SEGMENT).get(1),
        city.get(1),
        city.get(2),
        city.get(3),
    )


def _named(loop: Loop, tag: str) -> dict[str, str]:
    """Return the values of a loop's segments that say what they are in their first element: the first of each kind."""
    found: dict[str, str] = {}
    value = 3 if tag == "DTP" else 2
    for segment, _ in loop.segments:
        if segment.tag == tag:
            found.setdefault(segment.get(1), segment.get(value))
    return found


def _line(loop: Loop, component: str, claim: Loop) -> Line:
    service, element = service_of(loop)
    professional = service.tag == "SV1"
    code = [*service.get(1 if professional else 2).split(component), *[""] * 8]
    day = _named(loop, "DTP").get("472") or claim.value("DTP", 3, "434")
    pointers = service.get(7).split(component) if professional and service.get(7) else ()
    references = _named(loop, "REF")
    return Line(
        int(loop.first.get(1)),
        code[1],
        cents(service.get(element)) if element else 0,
        thousandths(service.get(4 if professional else 5)),
        first_day(day),
        last_day(day),
        tuple(modifier for modifier in code[2:6] if modifier),
        service.get(3 if professional else 4) or "UN",
        service.get(5) if professional else "",
        "" if professional else service.get(1),
        tuple(map(int, pointers)),
        _rendering(loop),
        references.get("6R", ""),
        references.get("G1", ""),
        tuple(
            LineDecision(part.first.get(1), cents(part.first.get(2)), part.value("DTP", 3), adjustments_of(part))
            for part in loop.loops("2430")
        )
        if loop.children
        else (),
    )


def _other(loop: Loop) -> OtherPayer:
    payer, insured = loop.loop("2330B"), loop.loop("2330A")
    paid = loop.one("AMT", "D")
    return OtherPayer(
        loop.first.get(1),
        payer.first.get(9) if payer else "",
        payer.first.get(3) if payer else "",
        insured.first.get(9) if insured else "",
        insured.first.get(3) if insured else "",
        cents(paid.get(2)) if paid else None,
        adjustments_of(loop),
        loop.first.get(9),
        loop.first.get(2),
        payer.value("DTP", 3, "573") if payer else "",
    )


def _diagnoses(loop: Loop, component: str) -> tuple[str, ...]:
    values = [value.split(component) for segment in loop.all("HI") for value in segment.elements[1:]]
    return tuple(parts[1] for parts in values if parts[0] in DIAGNOSES and len(parts) > 1)


def _drg(segment: Segment, component: str) -> str:
    parts = segment.get(1).split(component)
    return parts[1] if parts[0] == "DR" and len(parts) > 1 else ""


def read_claim(loop: Loop, component: str) -> Claim:
    """Read a claim from its loop 2300 under the loops around it.

    The claim must have passed levels 1 to 5; ValueError where it has not and a number is none.
    """
    root = loop.up("ST_LOOP")
    provider, subscriber = loop.up("2000A"), loop.up("2000B")
    around = loop.parent
    if root is None or provider is None or subscriber is None or around is None:
        raise ValueError("a claim stands under loops 2000A and 2000B of an 837")
    head = loop.first
    place = [*head.get(5).split(component), "", ""]
    insured = _person(subscriber.loop("2010BA"))
    dependent = around.loop("2010CA")
    first, last = service_period(loop)
    return Claim(
        "P" if any(line.one("SV1") for line in loop.loops("2400")) else "I",
        head.get(1),
        cents(head.get(2)),
        place[0],
        place[2] or "1",
        _party(root.loop("1000A")),
        _party(root.loop("1000B")),
        _party(provider.loop("2010AA"), provider),
        _party(subscriber.loop("2010BB")),
        insured,
        _person(dependent, insured.member) if dependent is not None else insured,
        around.value("PAT", 1) if dependent is not None else SELF,
        _diagnoses(loop, component),
        tuple(_line(line, component, loop) for line in loop.loops("2400")),
        first,
        last,
        subscriber.value("SBR", 1),
        subscriber.value("SBR", 3),
        subscriber.value("SBR", 9),
        loop.value("REF", 2, "F8"),
        loop.value("REF", 2, "G1"),
        loop.value("REF", 2, "D9"),
        _rendering(loop),
        next(filter(None, (_drg(segment, component) for segment in loop.all("HI"))), ""),
        first_day(loop.value("DTP", 3, "435")),
        tuple(_other(other) for other in loop.loops("2320")),
        head.get(7) in {"A", "B"},
        (loop.value("CL1", 1), loop.value("CL1", 2), loop.value("CL1", 3)),
    )
