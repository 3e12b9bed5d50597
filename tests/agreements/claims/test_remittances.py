"""The equations of the 835 on ten thousand generated remittances, a million in soak: summed here, not by our own code."""

import random
from collections.abc import Iterator

import msgspec
import pytest

from salus.agreements.claims.alone import decide_all
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import Decision
from salus.agreements.claims.history import History
from salus.agreements.claims.remit import Forwarded, remit
from salus.interop.x12.envelope import interchange
from salus.interop.x12.examine import SetSeen, UnitSeen, examine
from salus.interop.x12.remittance import Payment, Remittance, read_remittance, set_of
from tests.interop.x12.oracles import oxedi_accepts, pyx12_accepts

from .cases import CLINIC, ENDS, MEMBERS, PAYER, PLAN, RATES, SETTINGS, STAMP, claim, line

LATE = msgspec.structs.replace(SETTINGS, received="20250101", decided="20250601")
CODES = ("G0402", "G0403", "G0404", "R0070", "S9129", "J0696", "G0499")
READ = 200
"""Every so many remittances the written file is read back, by the passes and by oxedi; every tenth of these by pyx12."""


def pool(chance: random.Random) -> list[tuple[Decision, ...]]:
    """Return what may come into one remittance: a decision, or one and what takes it back, some paid late."""
    found: list[tuple[Decision, ...]] = []
    for number in range(120):
        history = History(MEMBERS)
        lines = [
            line(place, chance.choice(CODES), chance.randrange(1, 90_000), f"202502{chance.randrange(1, 29):02d}")
            for place in range(1, chance.randrange(2, 6))
        ]
        settings = chance.choice((SETTINGS, LATE))
        (first,) = decide_all([claim(*lines, identifier=f"A{number}")], PLAN, [RATES], history, settings)
        if first.status == "pended":
            continue
        found.append((first,))
        frequency = chance.choice("78")
        charge = chance.randrange(1, 90_000)
        again = claim(line(1, chance.choice(CODES), charge), frequency=frequency, original=first.control)
        drawn = history.draw(again, PLAN, RATES, received="20250310", decided="20250601", control=f"R{number}")
        second = decide(again, PLAN, RATES, drawn)
        found += [(second,), (first, second)]
    return found


def cents(payment: Payment) -> int:
    return sum(one.amount for one in payment.adjustments)


def balanced(one: Remittance) -> None:
    """Hold a remittance against the equations (K 2.3)."""
    for payment in one.payments:
        for service in payment.services:
            assert service.charge - sum(part.amount for part in service.adjustments) == service.paid
        lines = sum(part.amount for service in payment.services for part in service.adjustments)
        assert payment.charge - cents(payment) - lines == payment.paid
        assert payment.charge == sum(service.charge for service in payment.services)
        shares = sum(part.amount for service in payment.services for part in service.adjustments if part.group == "PR")
        assert (payment.patient is None) if payment.status == "22" else (payment.patient == shares)
    assert one.paid == sum(part.paid for part in one.payments) - sum(part.amount for part in one.adjustments) >= 0
    interest = sum(part.interest for part in one.payments)
    assert -sum(part.amount for part in one.adjustments if part.reason == "L6") == interest
    assert all(part.amount for part in one.adjustments)
    assert all(part.received for part in one.payments)


def read_back(one: Remittance, *, slow: bool) -> None:
    """Hold what is written of a remittance against what it was made from, and let two foreign readers judge it."""
    text = interchange(ENDS, STAMP, "HP", "005010X221A1", [set_of(one, "0001")])
    events = list(examine([text], keep=True))
    assert [part for event in events if isinstance(event, UnitSeen | SetSeen) for part in event.findings] == []
    (root,) = [event.root for event in events if isinstance(event, SetSeen)]
    assert root is not None
    read = read_remittance(root, ":")
    assert (read.trace, read.paid, read.adjustments) == (one.trace, one.paid, one.adjustments)
    assert list(read.payments) == list(one.payments)
    assert read.method == (one.method if one.paid else "NON")
    assert oxedi_accepts(text) is True
    assert not slow or pyx12_accepts(text) is True


def generated(count: int, seed: int) -> Iterator[Remittance]:
    """Yield remittances; each carries on what the payee owed after the one before."""
    chance = random.Random(seed)
    known = pool(chance)
    owed: dict[str, Forwarded] = {}
    for number in range(count):
        taken = [one for _ in range(chance.randrange(1, 4)) for one in chance.choice(known)]
        if chance.random() < 0.05:
            owed = {CLINIC.identifier: Forwarded(f"T{number}-", chance.randrange(1, 200_000))}
        before, origins = sum(one.amount for one in owed.values()), {one.origin for one in owed.values()}
        written, owed = remit(taken, PAYER, "20250601", {CLINIC.identifier: f"T{number}"}, owed)
        origins = origins or {f"T{number}"}  # a balance keeps the trace number that it began with
        assert {one.origin for one in owed.values()} <= origins
        assert {part.reference for one in written for part in one.adjustments if part.reason == "FB"} <= origins
        moved = sum(part.paid + part.interest for one in written for part in one.payments)
        assert moved - sum(one.paid for one in written) == before - sum(one.amount for one in owed.values())
        yield from written


@pytest.mark.unmeasured
def test_every_equation_holds_on_ten_thousand_remittances() -> None:
    checked(10_000, seed=8)


@pytest.mark.soak
def test_every_equation_holds_on_a_million_remittances() -> None:
    checked(1_000_000, seed=80)


def checked(count: int, seed: int) -> None:
    kinds: set[str] = set()
    seen = 0
    for number, one in enumerate(generated(count, seed)):
        balanced(one)
        seen += 1
        kinds |= {payment.status for payment in one.payments} | {part.reason for part in one.adjustments}
        first_zero = not one.paid and "zero" not in kinds
        kinds |= {"zero"} if not one.paid else set()
        if number % READ == 0 or first_zero:
            read_back(one, slow=number % (10 * READ) == 0 or first_zero)
    assert {"1", "22", "FB", "L6", "zero"} <= kinds
    assert seen > count * 0.9
