"""A received 835 posted to one's own claims: what each line got, what stays open, and what belongs to none of them.

A payment finds its claim by the provider's number (CLP01), a service its line by the line's own number (REF 6R) or, where
the payer does not repeat it, by procedure, modifiers and charge if one line alone has them. Nothing is guessed: what finds
no claim or line, or more than one, is listed.

Written off is what the contract takes (`CONTRACT`). A denial writes nothing off: a person does, or contests it. OA 23 repeats
what another payer paid and wrote off, and counts for nothing here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from salus.interop.x12.claim import Claim, Line
from salus.interop.x12.money import dollars
from salus.interop.x12.remittance import PaidLine, Payment, Remittance

_SHARES: Final = ("1", "2", "3")
CONTRACT: Final = frozenset({"24", "45", "59", "94", "104", "131", "253"})
"""Reasons that a provider has agreed to: capitation, price (94: above the charge), several procedures, withhold, discount, sequestration."""


class PostedLine(msgspec.Struct, frozen=True):
    """One line of a claim after posting, cents. charge = paid + written_off + patient + denied + open."""

    line: int
    charge: int
    paid: int = 0
    written_off: int = 0
    patient: int = 0
    """What the latest decision leaves to the patient."""
    denied: int = 0
    """What the latest decision denies: to be contested, corrected or written off by a person."""

    @property
    def open(self) -> int:
        """What no decision has told of."""
        return self.charge - self.paid - self.written_off - self.patient - self.denied

    @property
    def balance(self) -> int:
        """What is neither paid nor written off."""
        return self.charge - self.paid - self.written_off


class PostedClaim(msgspec.Struct, frozen=True):
    """One claim after posting."""

    identifier: str
    lines: tuple[PostedLine, ...]
    payments: int
    """How many claim payments were posted to it, reversals counted."""


class Posting(msgspec.Struct, frozen=True):
    """What a remittance does to one's claims."""

    claims: tuple[PostedClaim, ...]
    """Those that a payment found, in the order of the claims."""
    unmatched: tuple[str, ...]
    """Payments and services that belong to no line of one's own, and why."""


def post(remittances: Iterable[Remittance], claims: Sequence[Claim]) -> Posting:
    """Post remittances, in their order, to claims, in theirs: of a claim that was replaced, each version.

    A version that was replaced is told of only while something of it is left.
    """
    known: dict[str, dict[int, Claim]] = {}
    for claim in claims:
        versions = known.setdefault(claim.identifier, {})
        versions.pop(claim.charge, None)
        versions[claim.charge] = claim
    posted: dict[tuple[str, int], dict[int, PostedLine]] = {}
    counts: dict[tuple[str, int], int] = {}
    unmatched: list[str] = []
    for remittance in remittances:
        for payment in remittance.payments:
            place = f"{remittance.trace} {payment.payer_control}"
            versions = known.get(payment.identifier, {})
            paid_for = versions.get(abs(payment.charge))
            if paid_for is None:
                why = "the claim's charge is another" if versions else "no claim has this number"
                unmatched.append(f"{place}: {why}")
                continue
            key = payment.identifier, paid_for.charge
            lines = posted.setdefault(key, {one.number: PostedLine(one.number, one.charge) for one in paid_for.lines})
            counts[key] = counts.get(key, 0) + 1
            unmatched.extend(f"{place} {fault}" for fault in _apply(payment, paid_for, lines))
    done = []
    for name, versions in known.items():
        for charge in versions:
            rows = tuple(posted.get((name, charge), {}).values())
            current = charge == next(reversed(versions))
            if rows and (current or any(one.paid or one.written_off for one in rows)):
                done.append(PostedClaim(name, rows, counts[name, charge]))
    return Posting(tuple(done), tuple(unmatched))


def unlike(remittances: Sequence[Remittance], decided: Mapping[str, int]) -> tuple[str, ...]:
    """Hold all remittances of one payer, in their order, against what it has decided: by its number, cents with interest.

    The remittances of a claim add up to its last decision that one of them tells. What a balance takes back was forwarded
    before under its trace number (PLB FB), what interest adds a payment tells (L6), and nothing else is taken from a payment.
    """
    paid: dict[str, int] = {}
    owed: dict[str, int] = {}
    faults: list[str] = []
    for one in remittances:
        for payment in one.payments:
            paid[payment.payer_control] = paid.get(payment.payer_control, 0) + payment.paid + payment.interest
        faults += [f"{one.trace}: {fault}" for fault in _unlike_balances(one, owed)]
    for control, cents in paid.items():
        if control not in decided:
            faults.append(f"{control}: is paid {dollars(cents)}, and no decision of this number came")
        elif cents != decided[control]:
            faults.append(f"{control}: all 835s pay {dollars(cents)}, and {dollars(decided[control])} was decided")
    return tuple(faults)


def _unlike_balances(one: Remittance, owed: dict[str, int]) -> list[str]:
    """Return what a remittance takes from its payment without cause; `owed` is what each origin forwarded, changed here."""
    faults: list[str] = []
    interest = sum(payment.interest for payment in one.payments)
    for part in one.adjustments:
        if part.reason == "L6":
            interest += part.amount
        elif part.reason == "FB":
            owed[part.reference] = owed.get(part.reference, 0) - part.amount
        else:
            faults.append(f"takes {dollars(part.amount)} ({part.reason}), which no decision tells")
    if interest:
        faults.append(f"interest of its claims and of PLB L6 differ by {dollars(interest)}")
    beyond = [(origin, -cents) for origin, cents in owed.items() if cents < 0]
    owed.update((origin, 0) for origin, _ in beyond)
    return faults + [f"takes {dollars(cents)} more back than {origin} forwarded (PLB FB)" for origin, cents in beyond]


def _apply(payment: Payment, claim: Claim, lines: dict[int, PostedLine]) -> list[str]:
    """Post one claim payment; return what of it finds no line."""
    if not payment.services or payment.adjustments:
        return ["tells amounts of the whole claim: they belong to no line"]
    faults = []
    free = {one.number for one in claim.lines}
    for place, service in enumerate(payment.services, 1):
        matching = [one.number for one in claim.lines if one.number in free and _same(service, one)]
        named = [one.number for one in claim.lines if service.control and one.control == service.control]
        hit = named if len(named) == 1 else matching
        if len(hit) != 1 or hit[0] not in free:
            several = "several lines are like it" if len(hit) > 1 else "its line is told of twice"
            faults.append(f"service {place}: {several if hit else 'no line is like it'}")
            continue
        free.remove(hit[0])
        lines[hit[0]] = _after(lines[hit[0]], service, reversal=payment.status == "22")
    return faults


def _same(service: PaidLine, line: Line) -> bool:
    return (
        service.procedure == line.procedure
        and abs(service.charge) == line.charge
        and service.modifiers == line.modifiers
        and (bool(service.procedure) or service.revenue == line.revenue)
    )


def _after(line: PostedLine, service: PaidLine, *, reversal: bool) -> PostedLine:
    taken = [one for one in service.adjustments if (one.group, one.reason) != ("OA", "23")]
    shares = sum(one.amount for one in taken if one.group == "PR" and one.reason in _SHARES)
    off = sum(one.amount for one in taken if one.group != "PR" and one.reason in CONTRACT)
    denied = sum(one.amount for one in taken) - off - shares
    return PostedLine(
        line.line,
        line.charge,
        line.paid + service.paid,
        line.written_off + off,
        0 if reversal else shares,
        0 if reversal else denied,
    )
