"""The answers to what providers ask: 271 to a 270 (X279A1), 277 to a 276 (X212). The question's levels are kept.

Pure: what is known of a person or claim comes from a function that the caller passes. Money in cents, days CCYYMMDD.
"""

from collections.abc import Callable, Iterator

import msgspec

from salus.interop.x12.claim_writer import period
from salus.interop.x12.envelope import composite, words
from salus.interop.x12.loops import Loop
from salus.interop.x12.money import amount
from salus.interop.x12.tokens import Segment, segment


class CoverAsked(msgspec.Struct, frozen=True, gc=False):
    """One person whose cover is asked for."""

    member: str
    """The subscriber's number."""
    last: str
    first: str
    birth: str
    day: str
    """First day asked for; empty where none is named."""
    dependent: bool


class Amount(msgspec.Struct, frozen=True, gc=False):
    """One amount of the cover."""

    kind: str
    """EB01: C deductible, G out-of-pocket maximum."""
    family: bool
    left: bool
    """What is left of it (EB06 29); else the whole (23)."""
    cents: int
    in_network: bool = True


class Cover(msgspec.Struct, frozen=True, gc=False):
    """What is known of a person."""

    refused: str = ""
    """AAA03 where the person is not found: 75 subscriber, 67 patient."""
    active: bool = False
    plan: str = ""
    since: str = ""
    amounts: tuple[Amount, ...] = ()


class StatusAsked(msgspec.Struct, frozen=True, gc=False):
    """One claim whose status is asked for."""

    member: str
    provider: str
    identifier: str
    """REF EJ, the provider's number; empty where none is named."""
    control: str
    """REF 1K, the payer's number."""
    first: str
    last: str


class Status(msgspec.Struct, frozen=True, gc=False):
    """Where one claim stands."""

    category: str
    """STC01-1, code source 507."""
    code: str
    """STC01-2, code source 508."""
    day: str
    charge: int = 0
    paid: int = 0
    control: str = ""
    identifier: str = ""
    first: str = ""
    last: str = ""


NOT_FOUND = Status("A4", "35", "")


def cover_answer(
    root: Loop, known: Callable[[CoverAsked], Cover], control: str, stamp: tuple[str, str]
) -> list[Segment]:
    """Write the 271 to a 270 without its SE. `stamp`: day and time."""
    body = [
        segment("ST", "271", control, "005010X279A1"),
        segment("BHT", "0022", "11", root.value("BHT", 3), *stamp),
    ]
    for level in _levels(root):
        name = level.loop("2100A", "2100B", "2100C", "2100D")
        body.append(segment(*level.first.elements))
        if name is None:
            continue
        body.extend(segment("TRN", "2", *one.elements[2:]) for one in level.all("TRN"))
        body.append(segment(*name.first.elements))
        if name.loop("2110C", "2110D") is not None:
            body.extend(_cover(known(_person(level, name)), name))
    return body


def _levels(root: Loop) -> Iterator[Loop]:
    return (loop for loop in root.walk() if loop.first.tag == "HL")


def _person(level: Loop, name: Loop) -> CoverAsked:
    around = level.up("2000C")
    subscriber = around.loop("2100C") if around is not None else name
    day = name.value("DTP", 3, "291") or level.value("DTP", 3, "291")
    return CoverAsked(
        subscriber.first.get(9) if subscriber is not None else "",
        name.first.get(3),
        name.first.get(4),
        name.value("DMG", 2),
        day[:8],
        dependent=around is not None,
    )


def _cover(cover: Cover, name: Loop) -> Iterator[Segment]:
    if cover.refused:
        yield segment("AAA", "N", "", cover.refused, "C")
        return
    birth = name.one("DMG")
    if birth is not None:
        yield segment(*birth.elements)
    if cover.since:
        yield segment("DTP", "346", "D8", cover.since)
    yield segment("EB", "1" if cover.active else "6", "", "30", "", words(cover.plan, 50))
    for part in cover.amounts if cover.active else ():
        scope, whole = "FAM" if part.family else "IND", "29" if part.left else "23"
        network = "Y" if part.in_network else "N"
        yield segment("EB", part.kind, scope, "30", "", "", whole, amount(part.cents), "", "", "", "", network)


def status_answer(
    root: Loop, known: Callable[[StatusAsked], Status], control: str, stamp: tuple[str, str]
) -> list[Segment]:
    """Write the 277 to a 276 without its SE. `stamp`: day and time."""
    body = [
        segment("ST", "277", control, "005010X212"),
        segment("BHT", "0010", "08", root.value("BHT", 3), *stamp, "DG"),
    ]
    for level in _levels(root):
        body.append(segment(*level.first.elements))
        body.extend(segment(*name.first.elements) for name in level.children if name.name.startswith("2100"))
        for claim in level.loops("2200D", "2200E"):
            body.extend(_status(claim, known(_claim(level, claim)), stamp[0]))
    return body


def _claim(level: Loop, claim: Loop) -> StatusAsked:
    subscriber = level if level.name == "2000D" else level.up("2000D")
    provider = level.up("2000C")
    insured = subscriber.loop("2100D") if subscriber is not None else None
    first = provider.loop("2100C") if provider is not None else None
    day = claim.value("DTP", 3, "472")
    return StatusAsked(
        insured.first.get(9) if insured is not None else "",
        first.first.get(9) if first is not None else "",
        claim.value("REF", 2, "EJ"),
        claim.value("REF", 2, "1K"),
        day[:8],
        day[-8:],
    )


def _status(claim: Loop, status: Status, today: str) -> Iterator[Segment]:
    yield segment("TRN", "2", *claim.first.elements[2:])
    sums = ("", amount(status.charge), amount(status.paid)) if status.charge else ()
    yield segment("STC", composite(status.category, status.code), status.day or today, *sums)
    if status.control:
        yield segment("REF", "1K", status.control)
    if status.identifier:
        yield segment("REF", "EJ", status.identifier)
    if status.first:
        yield segment("DTP", "472", *period(status.first, status.last))
