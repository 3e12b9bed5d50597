"""A received 835 against one's contract: what does not balance, and what was paid below the agreed price."""

from collections.abc import Iterable, Sequence

import msgspec

from salus.agreements.claims.plan import Cuts, Rounding
from salus.agreements.claims.prices import fitting, line_price
from salus.agreements.claims.rates import Rates
from salus.agreements.claims.rounding import share
from salus.interop.x12.claim import Claim, Line, Party, Person
from salus.interop.x12.examine import SetSeen, UnitSeen, examine
from salus.interop.x12.findings import REFUSE, Finding
from salus.interop.x12.money import BadAmount
from salus.interop.x12.remittance import PaidLine, Payment, Remittance, read_remittance


class Shortfall(msgspec.Struct, frozen=True):
    """One line allowed below its agreed price, cents."""

    identifier: str
    payer_control: str
    line: int
    procedure: str
    agreed: int
    allowed: int
    clause: str

    @property
    def missing(self) -> int:
        """What is missing."""
        return self.agreed - self.allowed


class Audit(msgspec.Struct, frozen=True):
    """What an audit found."""

    remittances: tuple[Remittance, ...]
    findings: tuple[Finding, ...]
    shortfalls: tuple[Shortfall, ...]
    unpriced: tuple[tuple[str, int], ...]
    """Claims and line numbers for which the contract has no price."""

    @property
    def missing(self) -> int:
        """Sum of all shortfalls, cents."""
        return sum(part.missing for part in self.shortfalls)


def audit(chunks: Iterable[bytes], rates: Sequence[Rates], cuts: Cuts | None = None) -> Audit:
    """Audit the remittances of a file. `cuts` are the contract's price changes by modifier. Raises Unreadable."""
    findings: list[Finding] = []
    written: list[Remittance] = []
    short: list[Shortfall] = []
    unpriced: list[tuple[str, int]] = []
    contract = {part.provider: part for part in rates}
    for event in examine(chunks, keep=True):
        if isinstance(event, UnitSeen | SetSeen):
            findings.extend(part for part in event.findings if part.severity == REFUSE)
        if not isinstance(event, SetSeen) or event.root is None or event.head.header.get(1) != "835":
            continue
        try:
            remittance = read_remittance(event.root, event.head.delimiters.component)
        except BadAmount:
            continue  # level 3 has named the amount
        written.append(remittance)
        document = contract.get(remittance.payee.identifier)
        for payment in remittance.payments:
            if document is not None and payment.status not in {"4", "22"}:
                _prices(payment, document, cuts or Cuts(), short, unpriced)
    return Audit(tuple(written), tuple(findings), tuple(short), tuple(unpriced))


def _claim_of(payment: Payment, rates: Rates) -> Claim:
    lines = tuple(
        Line(
            number,
            service.procedure,
            service.charge,
            service.units or 1000,
            service.first or payment.first_day,
            service.last or payment.first_day,
            service.modifiers,
            revenue=service.revenue,
        )
        for number, service in enumerate(payment.services, 1)
    )
    person = Person(payment.last, payment.given)
    party = Party("", rates.provider)
    kind = "I" if any(line.revenue for line in lines) else "P"
    days = [line.first for line in lines] or [payment.first_day]
    return Claim(
        kind, payment.identifier, payment.charge, payment.facility, "1", party, party, party, Party("", rates.payer),
        person, person, "18", (), lines, min(days), max(days),
    )  # fmt: skip


def _allowed(service: PaidLine) -> int:
    """Return what the payer allowed: told in AMT B6, else paid and patient's shares."""
    if service.allowed is not None:
        return service.allowed
    return service.paid + sum(
        part.amount
        for part in service.adjustments
        if (part.group, part.reason) in {("PR", "1"), ("PR", "2"), ("PR", "3"), ("CO", "253"), ("CO", "104")}
    )


def _denied(service: PaidLine) -> bool:
    return any(part.amount == service.charge and part.reason not in {"1", "2", "3"} for part in service.adjustments)


def _prices(
    payment: Payment, rates: Rates, cuts: Cuts, short: list[Shortfall], unpriced: list[tuple[str, int]]
) -> None:
    claim, rounding = _claim_of(payment, rates), Rounding()  # half-up, as CMS does
    for line, service in zip(claim.lines, payment.services, strict=True):
        settled_before = any(part.reason == "23" for part in service.adjustments)
        if not line.first or _denied(service) or settled_before:
            continue
        rate = next(fitting(rates.rates, claim, line), None)
        if rate is None or rate.method == "schedule":  # an 835 names no plan, and so no schedule
            unpriced.append((payment.identifier, line.number))
            continue
        agreed = line_price(rate, rates.locality, rounding, line)
        for modifier in line.modifiers:
            if modifier in cuts.modifiers:
                agreed = share(agreed, cuts.modifiers[modifier], rounding.cuts)
        agreed = min(agreed, line.charge) if rates.lesser_of else agreed
        allowed = _allowed(service)
        if allowed < agreed:
            place = (payment.identifier, payment.payer_control, line.number, line.procedure)
            short.append(Shortfall(*place, agreed, allowed, rate.clause))
