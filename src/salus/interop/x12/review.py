"""A request for prior authorisation and its answer as types, read from and written as 278 (X217).

One event per request: a person, a requesting provider, services. Quantities in thousandths, days CCYYMMDD.
"""

from typing import Final

import msgspec

from salus.interop.x12.calendar import first_day, last_day
from salus.interop.x12.claim import Party, Person
from salus.interop.x12.claim_writer import period
from salus.interop.x12.envelope import composite, words
from salus.interop.x12.loops import Loop
from salus.interop.x12.money import quantity, thousandths
from salus.interop.x12.tokens import Segment, segment

CERTIFIED: Final = "A1"
MODIFIED: Final = "A6"
DENIED: Final = "A3"


class Asked(msgspec.Struct, frozen=True, gc=False):
    """One service that approval is asked for."""

    procedure: str
    units: int
    first: str
    last: str


class Review(msgspec.Struct, frozen=True, gc=False):
    """A request."""

    trace: str
    """BHT03, the provider's number."""
    payer: Party
    provider: Party
    patient: Person
    """With the subscriber's number."""
    diagnoses: tuple[str, ...]
    services: tuple[Asked, ...]


class Answered(msgspec.Struct, frozen=True, gc=False):
    """The answer to one service."""

    service: Asked
    """As approved; as asked where denied."""
    action: str
    """HCR01: A1 certified, A6 modified, A3 not certified."""
    number: str = ""
    """HCR02, the approval's number."""
    reason: str = ""
    """Why not, in words."""


def read_review(root: Loop, component: str) -> Review:
    """Read a request from its set. ValueError where the set has no event with a service."""
    loops = {name: [loop for loop in root.walk() if loop.name == name] for name in ("2010A", "2010B", "2000E", "2000F")}
    people = [loop for loop in root.walk() if loop.name in {"2010C", "2010D"}]
    header = root.one("BHT")
    if header is None or not loops["2000E"] or not loops["2000F"] or not people or not loops["2010B"]:
        raise ValueError("a request has a payer, a provider, a person, an event and a service")
    payer, provider, who = loops["2010A"][0].first, loops["2010B"][0].first, people[-1]
    event = loops["2000E"][0]
    values = [value.split(component) for part in event.all("HI") for value in part.elements[1:]]
    return Review(
        header.get(3),
        Party(payer.get(3), payer.get(9)),
        Party(provider.get(3), provider.get(9)),
        Person(
            who.first.get(3),
            who.first.get(4),
            people[0].first.get(9),
            who.value("DMG", 2),
            who.value("DMG", 3) or "U",
        ),
        tuple(parts[1] for parts in values if len(parts) > 1),
        tuple(_asked(loop, event, component) for loop in loops["2000F"]),
    )


def read_answers(root: Loop, component: str) -> tuple[Answered, ...]:
    """Read the answers to the services of a request from a response's set, in its order. ValueError where it has none."""
    events = [loop for loop in root.walk() if loop.name == "2000E"]
    services = [loop for loop in root.walk() if loop.name == "2000F"]
    if not events or not services:
        raise ValueError("a response has an event and a service")
    return tuple(
        Answered(_asked(loop, events[0], component), loop.value("HCR", 1), loop.value("HCR", 2), loop.value("MSG", 1))
        for loop in services
    )


def _asked(loop: Loop, event: Loop, component: str) -> Asked:
    service = loop.one("SV1") or loop.one("SV2")
    if service is None:
        raise ValueError("a service names a procedure")
    professional = service.tag == "SV1"
    code = service.get(1 if professional else 2).split(component)
    units = service.get(4 if professional else 5)
    day = loop.value("DTP", 3, "472") or event.value("DTP", 3, "472")
    return Asked(code[1] if len(code) > 1 else "", thousandths(units or "1"), first_day(day), last_day(day))


def _head(review: Review, purpose: str, control: str, stamp: tuple[str, str]) -> list[Segment]:
    person = review.patient
    born = [segment("DMG", "D8", person.birth, person.sex)] if person.birth else []
    return [
        segment("ST", "278", control, "005010X217"),
        segment("BHT", "0007", purpose, review.trace, *stamp),
        segment("HL", "1", "", "20", "1"),
        segment("NM1", "X3", "2", words(review.payer.name), "", "", "", "", "PI", review.payer.identifier),
        segment("HL", "2", "1", "21", "1"),
        segment("NM1", "1P", "2", words(review.provider.name), "", "", "", "", "XX", review.provider.identifier),
        segment("HL", "3", "2", "22", "1"),
        segment("NM1", "IL", "1", words(person.last), words(person.first, 35), "", "", "", "MI", person.member),
        *born,
        segment("HL", "4", "3", "EV", "1"),
    ]


def request_set(review: Review, control: str, stamp: tuple[str, str]) -> list[Segment]:
    """Write a request as one transaction set without its SE. `stamp`: day and time."""
    body = [*_head(review, "13", control, stamp), segment("UM", "HS", "I")]
    if review.diagnoses:
        body.append(
            segment("HI", *(composite("ABK" if n == 0 else "ABF", one) for n, one in enumerate(review.diagnoses)))
        )
    for number, one in enumerate(review.services, 5):
        body.append(segment("HL", str(number), "4", "SS", "0"))
        body.append(segment("DTP", "472", *period(one.first, one.last)))
        body.append(segment("SV1", composite("HC", one.procedure), "", "UN", quantity(one.units)))
    return body


def response_set(review: Review, answers: tuple[Answered, ...], control: str, stamp: tuple[str, str]) -> list[Segment]:
    """Write the answer to a request as one transaction set without its SE."""
    body = [*_head(review, "11", control, stamp), segment("UM", "HS", "I")]
    for number, one in enumerate(answers, 5):
        body.append(segment("HL", str(number), "4", "SS", "0"))
        body.append(segment("HCR", one.action, one.number))
        body.append(segment("DTP", "472", *period(one.service.first, one.service.last)))
        body.append(segment("SV1", composite("HC", one.service.procedure), "", "UN", quantity(one.service.units)))
        if one.reason:
            body.append(segment("MSG", words(one.reason, 264)))
    return body
