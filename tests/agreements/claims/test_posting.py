"""Posting: each line finds its own, every balance adds up, and what belongs to nobody is listed, not guessed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.agreements.claims.alone import adjudicate
from salus.agreements.claims.posting import PostedClaim, post
from salus.interop.x12.claim import Adjustment, Party
from salus.interop.x12.examine import SetSeen, examine
from salus.interop.x12.remittance import PaidLine, Payment, Remittance, read_remittance

from .cases import CLINIC, MEMBERS, PAYER, PLAN, RATES, SETTINGS, claim, file_of, line


def remittance(*payments: Payment) -> Remittance:
    paid = sum(one.paid for one in payments)
    return Remittance(Party(PAYER.name), CLINIC, "T1", "1999999999", "20250315", paid, payments)


def service(charge: int, paid: int, *reasons: tuple[str, str, int], **more: object) -> PaidLine:
    made = PaidLine("G0402", charge, paid, 1000, "20250301", "20250301", control="L1")
    return msgspec.structs.replace(made, adjustments=tuple(Adjustment(*one) for one in reasons), **more)


def payment(*services: PaidLine, status: str = "1", identifier: str = "A1") -> Payment:
    charge, paid = (sum(getattr(one, name) for one in services) for name in ("charge", "paid"))
    return Payment(identifier, status, charge, paid, None, "C1", services)


def sums(one: PostedClaim) -> dict[str, int]:
    names = ("charge", "paid", "written_off", "patient", "denied", "open", "balance")
    return {name: sum(getattr(part, name) for part in one.lines) for name in names}


def test_posting_two_payers_leaves_the_balance_of_interpretation_1696() -> None:
    first = payment(service(50000, 30000, ("CO", "45", 12500), ("PR", "1", 7500)))
    second = payment(service(50000, 6500, ("OA", "23", 42500), ("CO", "45", 1000)), status="2")
    own = [claim(line(charge=50000))]
    (one,) = post([remittance(first)], own).claims
    assert (sums(one)["patient"], sums(one)["balance"]) == (7500, 7500)
    (both,) = post([remittance(first), remittance(second)], own).claims
    assert sums(both) == {
        "charge": 50000,
        "paid": 36500,
        "written_off": 13500,
        "patient": 0,
        "denied": 0,
        "open": 0,
        "balance": 0,
    }


def test_a_denial_writes_nothing_off() -> None:
    (one,) = post([remittance(payment(service(15000, 0, ("CO", "197", 15000))))], [claim()]).claims
    assert (sums(one)["denied"], sums(one)["written_off"], sums(one)["balance"]) == (15000, 0, 15000)


def test_a_reversal_and_its_correction_leave_the_correction() -> None:
    paid = payment(service(15000, 8000, ("CO", "45", 5000), ("PR", "2", 2000)))
    back = payment(service(-15000, -8000, ("CO", "45", -5000), ("PR", "2", -2000)), status="22")
    again = payment(service(12000, 7000, ("CO", "45", 3000), ("PR", "2", 2000)))
    versions = [claim(), claim(line(charge=12000), frequency="7")]
    told = post([remittance(paid), remittance(back, again)], versions)
    assert told.unmatched == ()
    assert [(one.lines[0].charge, sums(one)["paid"], one.payments) for one in told.claims] == [(12000, 7000, 1)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (payment(service(15000, 0), identifier="Z9"), "no claim has this number"),
        (payment(service(15100, 0)), "the claim's charge is another"),
        (payment(service(7500, 0, control=""), service(7500, 0, control="")), "several lines are like it"),
        (payment(service(7500, 0, procedure="G0403", control="L9"), service(7500, 0)), "no line is like it"),
        (payment(service(7500, 0), service(7500, 0)), "its line is told of twice"),
        (msgspec.structs.replace(payment(service(15000, 0)), services=()), "belong to no line"),
    ],
)
def test_what_belongs_to_no_line_is_listed(change: Payment, why: str) -> None:
    own = [claim(line(1, charge=7500), line(2, charge=7500, control="L2"))]
    told = post([remittance(change)], own)
    assert any(why in one for one in told.unmatched)
    assert sum(sums(one)["paid"] for one in told.claims) == 0


LINES = st.lists(
    st.tuples(st.sampled_from(["G0402", "G0403", "S9129", "J0696"]), st.integers(1, 40_000)), min_size=1, max_size=4
)


@given(st.lists(LINES, min_size=1, max_size=4))
def test_what_was_decided_posts_to_the_lines_it_was_decided_for(month: list[list[tuple[str, int]]]) -> None:
    claims = [
        claim(
            *(line(place, code, charge, f"202503{1 + number:02d}") for place, (code, charge) in enumerate(lines, 1)),
            identifier=f"P{number}",
        )
        for number, lines in enumerate(month)
    ]
    out = adjudicate([file_of(*claims)], PLAN, [RATES], MEMBERS, SETTINGS)
    events = examine([out.remittance], keep=True) if out.remittance else ()
    sets = [one for one in events if isinstance(one, SetSeen)]
    told = post([read_remittance(one.root, one.head.delimiters.component) for one in sets if one.root], claims)
    decided = {one.claim.identifier: one for one in out.decisions if one.status != "pended"}
    assert told.unmatched == ()
    assert {one.identifier for one in told.claims} == set(decided)
    for one in told.claims:
        assert (sums(one)["paid"], sums(one)["open"]) == (decided[one.identifier].paid, 0)
        assert sums(one)["patient"] <= decided[one.identifier].patient
