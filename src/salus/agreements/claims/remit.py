"""Decisions to remittances: one per payee, balanced, never negative; what is owed back is forwarded (PLB FB)."""

from array import array
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import msgspec

from salus.agreements.claims.decision import DecidedLine, Decision
from salus.interop.x12.claim import Adjustment, Line, Party
from salus.interop.x12.remittance import PaidLine, Payment, ProviderAdjustment, Remittance
from salus.interop.x12.shelf import Row

_FILING: Final = frozenset(
    ["12", "13", "14", "15", "16", "17", "AM", "CH", "DS", "HM", "LM", "MA", "MB", "MC", "OF", "TV", "VA", "WC", "ZZ"]
)


class Forwarded(msgspec.Struct, frozen=True, gc=False):
    """A balance that a payee owes: cents, and the trace number of the remittance it comes from."""

    origin: str
    amount: int


def _service(line: Line, decided: DecidedLine, sign: int) -> PaidLine:
    reasons: dict[tuple[str, str], int] = {}
    for reason in decided.reasons:
        key = (reason.group, reason.code)
        reasons[key] = reasons.get(key, 0) + reason.amount
    return PaidLine(
        line.procedure,
        sign * decided.charge,
        sign * decided.paid,
        line.units,
        line.first,
        line.last,
        line.modifiers,
        line.revenue,
        tuple(Adjustment(group, code, sign * amount) for (group, code), amount in reasons.items()),
        sign * decided.allowed if decided.allowed else None,
        tuple(dict.fromkeys(reason.remark for reason in decided.reasons if reason.remark)),
        line.control,
    )


def _status(decision: Decision) -> str:
    reasons = {reason.code for line in decision.lines for reason in line.reasons}
    if decision.status == "denied" and reasons & {"31", "109"}:
        return "4"
    return "2" if decision.secondary else "1"


def _payment(decision: Decision, *, reversal: bool) -> Payment:
    claim, sign = decision.claim, -1 if reversal else 1
    services = tuple(_service(line, decided, sign) for line, decided in zip(claim.lines, decision.lines, strict=True))
    return Payment(
        claim.identifier,
        "22" if reversal else _status(decision),
        sign * decision.charge,
        sign * decision.paid,
        None if reversal else decision.patient,
        decision.control,
        services,
        claim.filing if claim.filing in _FILING else "12",
        (),
        claim.patient.last,
        claim.patient.first,
        claim.subscriber.member,
        claim.facility,
        claim.frequency,
        decision.received,
        claim.first,
        sign * decision.interest if decision.interest else 0,
    )


def payments_of(decision: Decision) -> tuple[Payment, ...]:
    """Return a decision's claim payments: first the reversal of what it takes back, then itself. Pended: none."""
    if decision.status == "pended":
        return ()
    back = (_payment(decision.reverses, reversal=True),) if decision.reverses is not None else ()
    return back if decision.status == "voided" else (*back, _payment(decision, reversal=False))


class _Payments(Collection[Payment]):
    """The claim payments of one payee, made when they are read: of many decisions none is held."""

    def __init__(self, decisions: Row[Decision], payee: Party) -> None:
        self.payee = payee
        self._decisions = decisions
        self._places = array("Q")
        self._count = self.cents = 0
        self.interest: list[ProviderAdjustment] = []

    def add(self, place: int, decision: Decision) -> None:
        """Take the decision at a place of the row; what it pays is counted now."""
        self._places.append(place)
        before = decision.reverses
        if before is not None:
            self._pay(before.control, -before.paid, -before.interest)
        if decision.status != "voided":
            self._pay(decision.control, decision.paid, decision.interest)

    def _pay(self, control: str, cents: int, interest: int) -> None:
        self._count += 1
        self.cents += cents
        if interest:
            self.interest.append(ProviderAdjustment("L6", control, -interest))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Payment]:
        return (payment for place in self._places for payment in payments_of(self._decisions[place]))

    def __contains__(self, payment: object) -> bool:
        return any(payment == one for one in self)


def remit(
    decisions: Row[Decision],
    payer: Party,
    day: str,
    traces: Mapping[str, str],
    owed: Mapping[str, Forwarded] | None = None,
) -> tuple[tuple[Remittance, ...], dict[str, Forwarded]]:
    """Pay decisions: one remittance per payee (NPI), in order of first appearance.

    `traces` gives each payee's trace number, which the caller never uses twice; `owed` what payees owe from before.
    Returns the remittances and what payees owe now. Their payments are read from the decisions when they are written.
    """
    carried = dict(owed or {})
    grouped: dict[str, _Payments] = {}
    for place, decision in enumerate(decisions):
        if decision.status != "pended" and (decision.status != "voided" or decision.reverses is not None):
            billing = decision.claim.billing
            grouped.setdefault(billing.identifier, _Payments(decisions, billing)).add(place, decision)
    written: list[Remittance] = []
    for payee, payments in grouped.items():
        trace, extra = traces[payee], list(payments.interest)
        before = carried.pop(payee, None)
        if before is not None:
            extra.append(ProviderAdjustment("FB", before.origin, before.amount))
        paid = payments.cents - sum(part.amount for part in extra)
        if paid < 0:
            origin = before.origin if before is not None else trace
            extra.append(ProviderAdjustment("FB", origin, paid))
            carried[payee] = Forwarded(origin, -paid)
            paid = 0
        number = "1" + payer.tax
        written.append(Remittance(payer, payments.payee, trace, number, day, paid, payments, _merged(extra)))
    return tuple(written), carried


def _merged(parts: list[ProviderAdjustment]) -> tuple[ProviderAdjustment, ...]:
    """Add up adjustments of one reason and reference; zero ones are left out."""
    total: dict[tuple[str, str], int] = {}
    for part in parts:
        key = (part.reason, part.reference)
        total[key] = total.get(key, 0) + part.amount
    return tuple(
        ProviderAdjustment(reason, reference, amount) for (reason, reference), amount in total.items() if amount
    )
