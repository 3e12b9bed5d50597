"""Members killed (SIGKILL) amid a claim's steps: every claim is decided once and paid once, under one trace number."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from salus.contracts.claims import port
from salus.interop.x12.examine import SetSeen, examine
from salus.interop.x12.remittance import read_remittance
from salus.node.claims import dossiers
from salus.node.claims.exchange import read_decision
from salus.node.member import MemberNode
from salus.node.together import Together
from tests.processes import bills, goods
from tests.processes.conftest import Reopened
from tests.processes.dying import Dying

pytestmark = pytest.mark.unmeasured


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bills") / "ready"
    bills.prepare(folder)
    return folder


@pytest.fixture
def after(ready: Path, dying: Dying, killing: Callable[..., Reopened]) -> Reopened:
    return killing(ready, dying.bills, bills.opened)


def soak(step: str) -> object:
    return pytest.param(step, marks=pytest.mark.soak)


def paid(cedar: MemberNode) -> tuple[dict[str, int], list[str]]:
    """Return what every 835 of the clinic paid, by its own claim number, and their trace numbers."""
    cents: dict[str, int] = {}
    traces = []
    for _, body in cedar.desk.claim_states("835/"):
        for event in examine([msgspec.msgpack.decode(body)[2]], keep=True):
            if isinstance(event, SetSeen) and event.root is not None:
                told = read_remittance(event.root, event.head.delimiters.component)
                traces.append(told.trace)
                for one in told.payments:
                    assert one.identifier not in cents
                    cents[one.identifier] = one.paid
    return cents, traces


def all_once(together: Together, numbers: set[str]) -> None:
    """Finish what was stopped, and hold every claim against the ledger, both members' desks and the 835s."""
    for _ in range(2):
        bills.decide(together)
        goods.settled(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    kept = {case: one for case, one, _ in dossiers.kept_cases(cedar)}
    rows = dict(together.owner.ledger.read().range(port.CASES))
    assert set(rows) == set(kept) == {case for case, _, _ in dossiers.kept_cases(harbor)}
    assert {row.status for row in rows.values()} == {port.CaseStatus.REMITTED}
    decisions = [read_decision(one.last.decided) for one in kept.values() if one.last.decided is not None]
    cents, traces = paid(cedar)
    assert {one.claim.identifier: one.paid for one in decisions} == cents
    assert set(cents) == numbers
    assert len(set(traces)) == len(traces)
    assert {(len(one.rounds), one.last.difference) for one in kept.values()} == {(1, "")}


@pytest.mark.parametrize("step", [soak("claims kept, not committed"), "claims committed, not sent"])
def test_amid_a_submission(after: Reopened, step: str) -> None:
    together = after("submit", step)
    bills.submit(together)
    goods.settled(together)
    all_once(together, {"N1", "N2", "N3"})


@pytest.mark.parametrize(
    "step",
    [
        "accepted, not decided",
        soak("decision kept, not committed"),
        "decision committed, not told",
        soak("835 fixed, ledger not told"),
        soak("835 on the ledger, not sent"),
    ],
)
def test_amid_a_decision(after: Reopened, step: str) -> None:
    all_once(after("decide", step), {"N1"})
