"""A payer killed (SIGKILL) again and again amid deciding and remitting, each time at another durable act."""

from pathlib import Path

import pytest

from salus.contracts.claims import port
from salus.node.claims import dossiers
from salus.node.claims.exchange import read_decision
from tests.node.claims.test_crash import remitted
from tests.processes import bills, goods
from tests.processes.dying import Dying
from tests.processes.test_killed import KILLED

pytestmark = pytest.mark.unmeasured
ACTS = 17
"""Durable acts from the inbox to the 835 that every run has, with what the one before it left."""


@pytest.mark.parametrize("times", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_a_payer_killed_again_and_again_pays_every_claim_once(tmp_path: Path, dying: Dying, times: int) -> None:
    """Claims and replacements come between the kills; each run goes on where the one before it was killed."""
    folder = tmp_path / "members"
    bills.prepare(folder)
    for number in range(times):
        assert dying.bills_amid(folder, number, number % ACTS) == KILLED
    (folder / "ahead").write_text(str((times + 1) * bills.HOUR_MS))
    with bills.opened(folder) as together:
        for _ in range(2):
            bills.decide(together)
            goods.settled(together)
        cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
        kept = [one for _, one, _ in dossiers.kept_cases(cedar)]
        rows = dict(together.owner.ledger.read().range(port.CASES))
        paid, traces = remitted(cedar)
        assert harbor.desk.open_claims() == []
        assert {name for name, _ in harbor.desk.claim_states("835/")} == {
            name for name, _ in cedar.desk.claim_states("835/")
        }
    assert len(kept) == len(rows) == times + 1
    assert {row.status for row in rows.values()} == {port.CaseStatus.REMITTED}
    assert sum(len(one.rounds) > 1 for one in kept) >= times // 4
    decisions = [read_decision(one.last.decided) for one in kept if one.last.decided is not None]
    assert len(decisions) == times + 1
    assert {one.control: one.paid + one.interest for one in decisions} == paid
    assert len(set(traces)) == len(traces)
    assert {one.last.difference for one in kept} == {""}
