"""Two payers in order: the published figure of 42 CFR 411.33(b) from the first 837 to the second 835."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.plan import Benefit, Plan
from salus.agreements.claims.rates import Rate, Rates
from salus.contracts.membership.port import Role
from salus.interop.x12.examine import UnitSeen, examine
from salus.interop.x12.findings import refused
from salus.interop.x12.remittance import Payment, read_payment
from salus.node.claims import decide_claims, dossiers, submit_claims, submit_secondary
from salus.node.claims.deciding import DecideClaims
from salus.node.claims.submitting import SubmitClaims, SubmitSecondary
from salus.node.errors import Conflict, NotFound
from salus.node.together import Clock, Founder, Together, found_together
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES, claim, file_of, line

JSON = msgspec.json.encode
MBI = "1EG4TE5MK73"


def plan_of(payer: str, share: int, coordination: str) -> Plan:
    return msgspec.structs.replace(
        PLAN,
        payer=payer,
        tiers=("in",),
        benefits=(Benefit(category="office", tier="in", clause="1", coinsurance=share, deductible=False),),
        categories=(PLAN.categories[-1],),
        accumulators=(),
        limits=(),
        coordination=coordination,
    )


def rates_of(payer: str, amount: int) -> Rates:
    return msgspec.structs.replace(
        RATES, payer=payer, rates=(Rate(method="fixed", procedure="G0402", clause="fee", amount=amount),)
    )


def request(plan: Plan, rates: Rates, number: str = "M1") -> DecideClaims:
    members = tuple(msgspec.structs.replace(one, subscriber=number) for one in MEMBERS.members)
    return DecideClaims(
        plan=JSON(plan),
        rates=JSON([rates]),
        members=JSON(msgspec.structs.replace(MEMBERS, payer=plan.payer, members=members)),
    )


FIRST = request(plan_of("HARBOR1", 2000, "standard"), rates_of("HARBOR1", 15000))
SECOND = request(plan_of("MERID1", 2000, "medicare-secondary"), rates_of("MERID1", 12500), MBI)


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
        Founder("meridian", "Meridian", (Role.PAYER,)),
    )
    found = found_together(tmp_path, founders, clock=Clock(lambda: 1_741_608_000_000))
    yield found
    found.close()


def settle(together: Together) -> None:
    height = together.owner.ledger.head().height
    for node in together.nodes.values():
        node.wait_for(height)


def payments(together: Together) -> list[Payment]:
    found = []
    for _, body in together.nodes["cedar"].desk.claim_states("835/"):
        for event in examine([msgspec.msgpack.decode(body, type=tuple)[2]]):
            if isinstance(event, UnitSeen):
                assert not refused(event.findings)
                found.append(read_payment(event.loop, event.head.delimiters.component))
    return found


def after(case: str) -> SubmitSecondary:
    return SubmitSecondary(case=case, payer="meridian", identifier="MERID1", name="MERIDIAN", number=MBI, filing="MB")


def test_medicare_pays_thirty_dollars_after_the_first_payer(together: Together) -> None:
    cedar = together.nodes["cedar"]
    file = file_of(claim(line(1, charge=17500)))
    (case,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=file)).cases
    settle(together)
    decide_claims(together.nodes["harbor"], FIRST)
    settle(together)

    (second,) = submit_secondary(cedar, after(case)).cases
    settle(together)
    done = decide_claims(together.nodes["meridian"], SECOND)
    settle(together)

    assert (done.decided, done.cents) == (1, 3000)
    first, last = sorted(payments(together), key=lambda one: one.status)
    assert (first.status, first.charge, first.paid, first.patient) == ("1", 17500, 12000, 3000)
    assert (last.status, last.charge, last.paid) == ("2", 17500, 3000)
    taken = {(one.group, one.reason): one.amount for one in last.services[0].adjustments}
    assert taken == {("OA", "23"): 14500}
    written_off = 17500 - 15000
    assert 17500 - first.paid - written_off - last.paid == 0
    assert dossiers.dossier_of(cedar, bytes.fromhex(second)).last.difference == ""


def test_what_is_not_decided_or_not_covered_does_not_go_on(together: Together) -> None:
    cedar = together.nodes["cedar"]
    (case,) = submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(claim()))).cases
    settle(together)
    with pytest.raises(NotFound, match=r"claims\.undecided"):
        submit_secondary(cedar, after(case))
    nobody = msgspec.structs.replace(FIRST, members=JSON(msgspec.structs.replace(MEMBERS, members=())))
    decide_claims(together.nodes["harbor"], nobody)
    settle(together)
    with pytest.raises(Conflict, match=r"claims\.not-covered"):
        submit_secondary(cedar, after(case))
