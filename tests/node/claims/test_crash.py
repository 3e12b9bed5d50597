"""A payer's process that dies at any point between accepting and remitting: paid once, one trace number, nothing lost."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from salus.interop.x12.examine import SetSeen, UnitSeen, examine
from salus.interop.x12.findings import refused
from salus.interop.x12.remittance import read_payment, read_remittance
from salus.node.claims import decide_claims, dossiers, submit_claims
from salus.node.claims.exchange import read_decision
from salus.node.claims.submitting import SubmitClaims
from salus.node.exchange.delivery import deliver_due
from salus.node.member import MemberNode
from salus.node.together import Together
from tests.agreements.claims.cases import claim, file_of, line
from tests.node.claims.dying import dying
from tests.node.claims.two import REQUEST, found_two
from tests.processes.bills import day_of, numbered

POINTS = 20


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    found = found_two(tmp_path)
    yield found
    found.close()


def test_a_crash_at_any_point_pays_every_claim_once(together: Together) -> None:
    crashed(together, POINTS)


@pytest.mark.soak
def test_two_hundred_crashes_pay_every_claim_once(together: Together) -> None:
    crashed(together, 200)


def crashed(together: Together, points: int) -> None:
    """Have the payer die after each number of steps up to the most that a run takes, then run it again."""
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    died = 0
    for point in range(points):
        day = day_of(point)
        again = [
            claim(line(1, "S9129", 9000, day), identifier=f"N{point}"),
            claim(line(1, "J0696", 1000 + point, day), identifier=f"J{point}"),
        ]
        if point > 2:
            again.append(
                claim(
                    line(1, "J0696", 900 + point, day_of(point - 2)),
                    identifier=f"J{point - 2}",
                    frequency="7",
                    original=numbered(cedar)[f"J{point - 2}"],
                )
            )
        submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(*again)))
        together.abreast()
        with dying(harbor, point % POINTS) as seen:
            decide_claims(harbor, REQUEST)
        died += seen[-1:] == ["died"]
        together.abreast()
        decide_claims(harbor, REQUEST)
        together.clock.advance(3_600_000)
        deliver_due(harbor)
        together.abreast()
    assert died >= points // 2
    paid, traces = remitted(cedar)
    assert len(set(traces)) == len(traces)
    decisions = [read_decision(kept.last.decided) for _, kept, _ in dossiers.kept_cases(cedar) if kept.last.decided]
    assert len(decisions) == 2 * points
    assert harbor.desk.open_claims() == []
    assert {one.control: one.paid + one.interest for one in decisions} == paid


def remitted(node: MemberNode) -> tuple[dict[str, int], list[str]]:
    """What all 835s pay, by the payer's number, and their trace numbers. Each file is whole and sound."""
    paid: dict[str, int] = {}
    traces: list[str] = []
    for _, body in node.desk.claim_states("835/"):
        for event in examine([msgspec.msgpack.decode(body, type=tuple)[2]], keep=True):
            if isinstance(event, UnitSeen | SetSeen):
                assert not refused(event.findings)
            if isinstance(event, UnitSeen):
                one = read_payment(event.loop, event.head.delimiters.component)
                paid[one.payer_control] = paid.get(one.payer_control, 0) + one.paid + one.interest
            elif isinstance(event, SetSeen) and event.root is not None:
                traces.append(read_remittance(event.root, event.head.delimiters.component).trace)
    return paid, traces
