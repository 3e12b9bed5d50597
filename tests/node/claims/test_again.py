"""A case decided again: replacement, void, correction, dispute. The sum of all 835s is the last decision."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.decide import net_moves
from salus.contracts.claims.messages import OpenPlanYear
from salus.contracts.membership.port import Role
from salus.interop.x12.claim import Line
from salus.interop.x12.examine import SetSeen, examine
from salus.interop.x12.remittance import Remittance, read_remittance
from salus.node.claims import (
    correct_claim,
    decide_claims,
    dispute_decision,
    dossiers,
    explain_case,
    list_cases,
    rule_on_claim,
    submit_claims,
)
from salus.node.claims.deciding import CorrectClaim, DecideClaims, RuleOnClaim
from salus.node.claims.exchange import read_decision
from salus.node.claims.listing import ExplainCase, ListCases
from salus.node.claims.submitting import DisputeDecision, SubmitClaims
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.exchange.delivery import deliver_due
from salus.node.together import Clock, Founder, Together, found_together
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, claim, file_of, line

JSON = msgspec.json.encode
START = 1_741_608_000_000  # 2025-03-10
DAY = 86_400_000
REQUEST = DecideClaims(plan=JSON(PLAN), rates=JSON([RATES]), members=JSON(MEMBERS))


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
    )
    found = found_together(tmp_path, founders, clock=Clock(lambda: START))
    yield found
    found.close()


def later(together: Together, days: int) -> None:
    """Move the clock, in steps that a ledger believes."""
    harbor = together.nodes["harbor"]
    while days:
        step = min(days, 25)
        together.clock.advance(step * DAY)
        harbor.submitter.submit(OpenPlanYear(harbor.entropy(16), bytes(32)))
        together.abreast()
        days -= step


def send(together: Together, *lines: Line, **changes: str) -> bytes:
    made = submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=file_of(claim(*lines, **changes))))
    together.abreast()
    return bytes.fromhex(made.cases[0])


def decide(together: Together, request: DecideClaims = REQUEST) -> tuple[int, int, int]:
    done = decide_claims(together.nodes["harbor"], request)
    together.abreast()
    return done.decided, done.waiting, done.remitted


def remittances(together: Together) -> list[Remittance]:
    """All 835s that the provider has, in the order of their trace numbers, each sound by the five passes."""
    found = []
    for _, body in together.nodes["cedar"].desk.claim_states("835/"):
        batch = msgspec.msgpack.decode(body)
        for event in examine([batch[2]], keep=True):
            if isinstance(event, SetSeen) and event.root is not None:
                assert event.findings == ()
                found.append(read_remittance(event.root, event.head.delimiters.component))
    return sorted(found, key=lambda one: one.trace)


def paid(together: Together, identifier: str) -> int:
    payments = [one for sent in remittances(together) for one in sent.payments]
    return sum(one.paid + one.interest for one in payments if one.identifier == identifier)


def decided(together: Together, case: bytes) -> int:
    last = dossiers.dossier_of(together.nodes["cedar"], case).last
    assert last.decided is not None
    decision = read_decision(last.decided)
    return decision.paid + decision.interest


def taken(together: Together) -> dict[str, int]:
    """What the accumulators hold, from all decisions that the provider was sent."""
    cells: dict[str, int] = {}
    for _, kept, _ in dossiers.kept_cases(together.nodes["harbor"]):
        for one in kept.rounds:
            if one.decided is not None:
                for move in net_moves(read_decision(one.decided)):
                    name = f"{move.cell.bucket} {move.cell.scope} {move.cell.tier}"
                    cells[name] = cells.get(name, 0) + move.amount
    return cells


def test_a_replacement_reverses_and_corrects_in_one_835(together: Together) -> None:
    case = send(together, line(1, "S9129", 9000))
    assert decide(together) == (1, 0, 1)
    before = decided(together, case)

    again = send(together, line(1, "S9129", 9000), line(2, "J0696", 2000), frequency="7", original="C00000001")

    assert again == case
    assert decide(together) == (1, 0, 1)
    first, second = remittances(together)
    back, corrected = second.payments
    assert (back.status, back.paid, back.patient) == ("22", -before, None)
    assert corrected.paid + corrected.interest == decided(together, case)
    assert second.paid == corrected.paid - before
    assert first.trace != second.trace
    assert paid(together, "A1") == decided(together, case)
    (told,) = list_cases(together.nodes["cedar"], ListCases()).cases
    assert (told.status, told.round, told.why, told.differs) == ("remitted", 2, "replacement", "")


def test_a_void_takes_everything_back_to_the_cent_and_forwards_what_is_owed(together: Together) -> None:
    case = send(together, line(1, "S9129", 9000))
    decide(together)
    before = decided(together, case)
    send(together, line(1, "S9129", 9000), frequency="8", original="C00000001")

    assert decide(together) == (1, 0, 1)

    _, void = remittances(together)
    assert (void.paid, [one.status for one in void.payments]) == (0, ["22"])
    assert [(one.reason, one.amount) for one in void.adjustments] == [("FB", -before)]
    assert set(taken(together).values()) == {0}
    assert decided(together, case) == 0

    send(together, line(1, "S9129", 9000, day="20250302"), line(2, "S9129", 9000, day="20250303"), identifier="B2")
    decide(together)
    last = remittances(together)[-1]
    forwarded = [one for one in last.adjustments if one.reason == "FB"]
    assert [(one.amount, one.reference) for one in forwarded] == [(before, void.trace)]
    assert sum(one.paid for one in remittances(together)) == paid(together, "B2")


def test_what_is_replaced_before_it_is_paid_is_paid_once(together: Together) -> None:
    case = send(together, line(1, "S9129", 9000))
    harbor = together.nodes["harbor"]
    together.transport.down.add("https://cedar.example")
    decide_claims(harbor, REQUEST)
    correct_claim(harbor, CorrectClaim(case=case.hex()))
    decide_claims(harbor, REQUEST)
    together.transport.down.clear()
    together.clock.advance(DAY)
    deliver_due(harbor)
    together.abreast()
    assert paid(together, "A1") == decided(together, case)


def test_a_payers_correction_pays_the_difference_with_interest(together: Together) -> None:
    low = msgspec.structs.replace(
        RATES, rates=tuple(msgspec.structs.replace(one, amount=one.amount // 2) for one in RATES.rates)
    )
    case = send(together, line(1, "S9129", 9000))
    decide(together, msgspec.structs.replace(REQUEST, rates=JSON([low])))
    first = decided(together, case)
    later(together, 45)

    correct_claim(together.nodes["harbor"], CorrectClaim(case=case.hex()))
    assert decide(together) == (1, 0, 1)

    last = remittances(together)[-1]
    back, corrected = last.payments
    assert back.paid == -first
    assert corrected.paid > first
    assert corrected.interest == round(corrected.paid * 4625 * 15 / 100_000 / 365)  # 15 days after the 30th
    assert ("L6", -corrected.interest) in [(one.reason, one.amount) for one in last.adjustments]
    assert paid(together, "A1") == decided(together, case)


def test_a_disputed_decision_waits_for_a_person_and_bears_the_ruling(together: Together) -> None:
    case = send(together, line(1, "R0070", 90000, units=5000))
    decide(together)
    assert decided(together, case) == 0  # no approval
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    later(together, 60)
    dispute_decision(cedar, DisputeDecision(case=case.hex(), statement="an emergency needs no approval"))
    together.abreast()

    assert decide(together) == (0, 1, 0)
    waits = list_cases(harbor, ListCases()).cases[0].waits
    assert waits == ("dispute: an emergency needs no approval",)
    with pytest.raises(Malformed, match=r"claims\.step"):
        rule_on_claim(harbor, RuleOnClaim(case=case.hex(), verdict="allow", step="pricing", basis="more, please"))
    ruling = RuleOnClaim(case=case.hex(), verdict="allow", step="authorisation", basis="emergency, clause 3.2b")
    rule_on_claim(harbor, ruling)
    assert decide(together) == (1, 0, 1)

    assert decided(together, case) > 0
    last = dossiers.dossier_of(cedar, case).last
    assert last.decided is not None
    assert read_decision(last.decided).interest == 0  # first denied, paid on appeal
    assert last.difference == ""
    told = explain_case(cedar, ExplainCase(case=case.hex()))
    assert any("a person ruled allow: emergency, clause 3.2b" in one for one in told.trace)
    assert paid(together, "A1") == decided(together, case)


def test_a_replacement_of_nothing_and_two_of_one_are_refused(together: Together) -> None:
    with pytest.raises(NotFound, match=r"claims\.original"):
        send(together, frequency="7", original="C00000009")
    send(together, line(1, "S9129", 9000))
    decide(together)
    one = claim(line(1, "S9129", 8000), frequency="7", original="C00000001")
    two = msgspec.structs.replace(one, identifier="A2")
    cedar = together.nodes["cedar"]
    with pytest.raises(Conflict, match=r"claims\.twice"):
        submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(one, two)))
    send(together, line(1, "S9129", 8000), frequency="7", original="C00000001")
    with pytest.raises(Conflict, match=r"claims\.open"):
        send(together, line(1, "S9129", 7000), frequency="7", original="C00000001")
