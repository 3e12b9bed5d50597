"""A payer killed (SIGKILL) two hundred times amid deciding and remitting, each time at another durable act."""

from pathlib import Path

import pytest

from salus.contracts.claims import port
from salus.node.claims import dossiers, submit_claims
from salus.node.claims.exchange import read_decision
from salus.node.claims.submitting import SubmitClaims
from tests.agreements.claims.cases import claim, file_of, line
from tests.node.claims.test_crash import POINTS, day_of, numbered, remitted
from tests.processes import bills, goods
from tests.processes.dying import Dying
from tests.processes.test_killed import KILLED

pytestmark = [pytest.mark.unmeasured, pytest.mark.soak]
TIMES = 200
HOUR_MS = 3_600_000


def test_two_hundred_kills_pay_every_claim_once(tmp_path: Path, dying: Dying) -> None:
    """Claims and replacements come between the kills; each run goes on where the one before it was killed."""
    folder = tmp_path / "members"
    bills.prepare(folder)
    died = 0
    for time in range(TIMES):
        (folder / "ahead").write_text(str(time * HOUR_MS))
        with bills.opened(folder) as together:
            goods.settled(together)
            cedar = together.nodes["cedar"]
            coming = [claim(line(1, "J0696", 1000 + time, day_of(time)), identifier=f"K{time}")]
            known = numbered(cedar)
            if f"K{time - 3}" in known:
                again = line(1, "J0696", 900 + time, day_of(time - 3))
                coming.append(claim(again, identifier=f"K{time - 3}", frequency="7", original=known[f"K{time - 3}"]))
            submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(*coming)))
            together.abreast()
        died += dying.bills_amid(folder, "decide", time % POINTS) == KILLED
    assert died >= TIMES // 3
    (folder / "ahead").write_text(str((TIMES + 1) * HOUR_MS))
    with bills.opened(folder) as together:
        for _ in range(2):
            bills.decide(together)
            goods.settled(together)
        kept = [one for _, one, _ in dossiers.kept_cases(together.nodes["cedar"])]
        rows = dict(together.owner.ledger.read().range(port.CASES))
        paid, traces = remitted(together.nodes["cedar"])
        assert together.nodes["harbor"].desk.open_claims() == []
    assert len(kept) == len(rows) == TIMES + 1
    assert {row.status for row in rows.values()} == {port.CaseStatus.REMITTED}
    decisions = [read_decision(one.last.decided) for one in kept if one.last.decided is not None]
    assert {one.control: one.paid + one.interest for one in decisions} == paid
    assert len(set(traces)) == len(traces)
