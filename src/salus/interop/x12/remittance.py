"""A remittance as types, read from and written as 835 (X221A1). Money in cents, days CCYYMMDD."""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from salus.interop.x12.claim import Adjustment, Party, adjustments_of
from salus.interop.x12.claim_writer import adjustment_segments
from salus.interop.x12.envelope import composite, words
from salus.interop.x12.loops import Loop
from salus.interop.x12.money import amount, cents, quantity, thousandths
from salus.interop.x12.tokens import Segment, segment


class PaidLine(msgspec.Struct, frozen=True, gc=False):
    """One line of a claim payment (loop 2110)."""

    procedure: str
    charge: int
    paid: int
    units: int
    """Thousandths; 0 where not told (one unit)."""
    first: str
    last: str
    modifiers: tuple[str, ...] = ()
    revenue: str = ""
    adjustments: tuple[Adjustment, ...] = ()
    allowed: int | None = None
    """AMT B6, cents."""
    remarks: tuple[str, ...] = ()
    control: str = ""


class Payment(msgspec.Struct, frozen=True, gc=False):
    """One claim payment (loop 2100)."""

    identifier: str
    """CLP01, the provider's number."""
    status: str
    charge: int
    paid: int
    patient: int | None
    """CLP05, the patient's share; None on a reversal."""
    payer_control: str
    services: tuple[PaidLine, ...]
    filing: str = "12"
    adjustments: tuple[Adjustment, ...] = ()
    last: str = ""
    given: str = ""
    member: str = ""
    facility: str = ""
    frequency: str = ""
    received: str = ""
    """DTM 050, the day the claim came."""
    first_day: str = ""
    interest: int = 0
    """AMT I, cents."""


class ProviderAdjustment(msgspec.Struct, frozen=True, gc=False):
    """One adjustment of PLB. Positive lowers the payment."""

    reason: str
    reference: str
    amount: int


class Remittance(msgspec.Struct, frozen=True, gc=False):
    """One payment to one payee."""

    payer: Party
    payee: Party
    trace: str
    """TRN02, never used twice."""
    payer_number: str
    """TRN03, 1 and the payer's tax number."""
    day: str
    paid: int
    """BPR02."""
    payments: Collection[Payment]
    adjustments: tuple[ProviderAdjustment, ...] = ()
    method: str = "CHK"


def due(payments: Iterable[Payment], adjustments: Iterable[ProviderAdjustment]) -> int:
    """Return BPR02: sum of claim payments less provider adjustments, in cents."""
    return sum(payment.paid for payment in payments) - sum(part.amount for part in adjustments)


def set_of(remittance: Remittance, control: str) -> Iterator[Segment]:
    """Yield one transaction set without its SE."""
    nothing = remittance.paid == 0
    bank = [""] * 11
    method = "NON" if nothing else remittance.method
    paid = amount(remittance.paid)
    yield from (
        segment("ST", "835", control),
        segment("BPR", "H" if nothing else "I", paid, "C", method, *bank, remittance.day),
        segment("TRN", "1", remittance.trace, remittance.payer_number),
        segment("DTM", "405", remittance.day),
        segment("N1", "PR", words(remittance.payer.name)),
        segment("N3", words(remittance.payer.street, 55)),
        segment("N4", words(remittance.payer.city, 30), remittance.payer.state, remittance.payer.zip),
        segment("PER", "BL", words(remittance.payer.name), *_telephone(remittance.payer)),
        segment("N1", "PE", words(remittance.payee.name), "XX", remittance.payee.identifier),
    )
    if remittance.payee.tax:
        yield segment("REF", "TJ", remittance.payee.tax)
    if remittance.payments:
        yield segment("LX", "1")
    for payment in remittance.payments:
        yield from _payment(payment)
    for start in range(0, len(remittance.adjustments), 6):
        parts: list[str] = []
        for part in remittance.adjustments[start : start + 6]:
            parts.extend((composite(part.reason, part.reference), amount(part.amount)))
        yield segment("PLB", remittance.payee.identifier, remittance.day[:4] + "1231", *parts)


def _telephone(party: Party) -> tuple[str, ...]:
    return ("TE", party.telephone) if party.telephone else ()


def _payment(payment: Payment) -> list[Segment]:
    patient = amount(payment.patient) if payment.patient else ""
    head = ["CLP", payment.identifier, payment.status, amount(payment.charge), amount(payment.paid), patient]
    parts = [segment(*head, payment.filing, payment.payer_control, payment.facility, payment.frequency)]
    parts.extend(adjustment_segments(payment.adjustments))
    member = ("MI", payment.member) if payment.member else ()
    parts.append(segment("NM1", "QC", "1", words(payment.last), words(payment.given, 35), "", "", "", *member))
    if payment.received:
        parts.append(segment("DTM", "050", payment.received))
    if payment.first_day:
        parts.append(segment("DTM", "232", payment.first_day))
    if payment.interest:
        parts.append(segment("AMT", "I", amount(payment.interest)))
    for service in payment.services:
        parts.extend(_service(service))
    return parts


def _service(service: PaidLine) -> list[Segment]:
    revenue = service.revenue if service.procedure else ""
    kind = ("HC", service.procedure, *service.modifiers) if service.procedure else ("NU", service.revenue)
    units = quantity(service.units) if service.units else ""
    parts = [segment("SVC", composite(*kind), amount(service.charge), amount(service.paid), revenue, units)]
    if service.first == service.last:
        parts.append(segment("DTM", "472", service.first))
    else:
        parts.extend((segment("DTM", "150", service.first), segment("DTM", "151", service.last)))
    parts.extend(adjustment_segments(service.adjustments))
    if service.control:
        parts.append(segment("REF", "6R", service.control))
    if service.allowed:
        parts.append(segment("AMT", "B6", amount(service.allowed)))
    parts.extend(segment("LQ", "HE", remark) for remark in service.remarks)
    return parts


def read_payment(loop: Loop, component: str) -> Payment:
    """Read one claim payment (loop 2100). Raises BadAmount where an amount is none."""
    head = loop.first
    patient = loop.one("NM1", "QC")
    insured = loop.one("NM1", "IL") or patient
    return Payment(
        head.get(1),
        head.get(2),
        cents(head.get(3)),
        cents(head.get(4)),
        None if head.get(2) == "22" else cents(head.get(5)),
        head.get(7),
        tuple(_read_service(line, component) for line in loop.loops("2110")),
        head.get(6),
        adjustments_of(loop),
        patient.get(3) if patient else "",
        patient.get(4) if patient else "",
        insured.get(9) if insured else "",
        head.get(8),
        head.get(9),
        loop.value("DTM", 2, "050"),
        loop.value("DTM", 2, "232"),
        cents(loop.value("AMT", 2, "I")),
    )


def _read_service(loop: Loop, component: str) -> PaidLine:
    head = loop.first
    kind, *code = head.get(1).split(component)
    revenue = kind == "NU"
    first = loop.value("DTM", 2, "472", "150")
    allowed = loop.one("AMT", "B6")
    return PaidLine(
        "" if revenue or not code else code[0],
        cents(head.get(2)),
        cents(head.get(3)),
        thousandths(head.get(5)),
        first,
        loop.value("DTM", 2, "151") or first,
        tuple(part for part in code[1:5] if part),
        code[0] if revenue and code else head.get(4),
        adjustments_of(loop),
        cents(allowed.get(2)) if allowed else None,
        tuple(segment.get(2) for segment in loop.all("LQ", "HE")),
        loop.value("REF", 2, "6R"),
    )


def read_remittance(root: Loop, component: str) -> Remittance:
    """Read one transaction set whose units were kept. Raises BadAmount where an amount is none."""
    payer, payee = root.loop("1000A"), root.loop("1000B")
    paid = root.one("BPR")
    return Remittance(
        _read_party(payer),
        _read_party(payee),
        root.value("TRN", 2),
        root.value("TRN", 3),
        paid.get(16) if paid else "",
        cents(paid.get(2)) if paid else 0,
        tuple(read_payment(loop, component) for header in root.loops("2000") for loop in header.loops("2100")),
        tuple(
            ProviderAdjustment(*_split(part.get(place), component), cents(part.get(place + 1)))
            for part in root.all("PLB")
            for place in range(3, len(part.elements), 2)
        ),
        paid.get(4) if paid else "",
    )


def _split(text: str, component: str) -> tuple[str, str]:
    reason, _, reference = text.partition(component)
    return reason, reference


def _read_party(loop: Loop | None) -> Party:
    if loop is None:
        return Party("")
    name = loop.first
    return Party(
        name.get(2),
        name.get(4),
        tax=loop.value("REF", 2, "TJ"),
        street=loop.value("N3", 1),
        city=loop.value("N4", 1),
        state=loop.value("N4", 2),
        zip=loop.value("N4", 3),
        telephone=loop.value("PER", 4, "BL"),
    )
