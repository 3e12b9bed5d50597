"""A payer killed (SIGKILL) amid handing a claim or a correction on: the second payer has each once, and all is paid once."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from salus.contracts.claims import port
from salus.interop.x12.examine import SetSeen, examine
from salus.interop.x12.remittance import read_remittance
from salus.node.claims import dossiers
from salus.node.claims.exchange import read_decision
from salus.node.together import Together
from tests.processes import crossings, goods
from tests.processes.conftest import Reopened
from tests.processes.dying import Dying

pytestmark = pytest.mark.unmeasured


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crossings") / "ready"
    crossings.prepare(folder)
    return folder


@pytest.fixture
def after(ready: Path, dying: Dying, killing: Callable[..., Reopened]) -> Reopened:
    return killing(ready, dying.crossings, crossings.opened)


def finished(together: Together, task: Callable[[Together], None]) -> None:
    """Finish what was stopped."""
    for _ in range(3):
        for act in (task, crossings.second):
            act(together)
            goods.settled(together)


def all_once(together: Together, rounds: dict[str, int]) -> None:
    """Hold every case against the ledger, the members' desks and the 835s; `rounds` by the provider's number."""
    cedar = together.nodes["cedar"]
    kept = {case: one for case, one, _ in dossiers.kept_cases(cedar)}
    rows = dict(together.owner.ledger.read().range(port.CASES))
    assert set(rows) == set(kept)
    assert {row.status for row in rows.values()} == {port.CaseStatus.REMITTED}
    for payer in ("harbor", "meridian"):
        theirs = {case for case, _, _ in dossiers.kept_cases(together.nodes[payer])}
        assert theirs == {case for case, one in kept.items() if one.other == payer}
        assert len(theirs) == len(rounds)
    decisions = [read_decision(one.last.decided) for one in kept.values() if one.last.decided is not None]
    told = sorted((one.claim.identifier, each.last.number) for one, each in zip(decisions, kept.values(), strict=True))
    assert told == sorted(2 * list(rounds.items()))
    assert {one.last.difference for one in kept.values()} == {""}
    paid = traces = 0
    seen = set()
    for _, body in cedar.desk.claim_states("835/"):
        sender, _, file, *_ = msgspec.msgpack.decode(body)
        for event in examine([file], keep=True):
            if isinstance(event, SetSeen) and event.root is not None:
                one = read_remittance(event.root, event.head.delimiters.component)
                paid += sum(part.paid for part in one.payments)
                traces += 1
                seen.add((sender, one.trace))
    assert paid == sum(one.paid for one in decisions)
    assert len(seen) == traces


@pytest.mark.soak
@pytest.mark.parametrize(
    "step", ["crossing fixed, ledger not told", "crossing on the ledger, not sent", "crossing sent, not noted"]
)
def test_amid_a_crossing(after: Reopened, step: str) -> None:
    together = after("cross", step)
    finished(together, crossings.cross)
    all_once(together, {"X1": 1, "X2": 1})


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("correction fixed, not sent", marks=pytest.mark.soak),
        "correction sent, not noted",
    ],
)
def test_amid_handing_on_a_correction(after: Reopened, step: str) -> None:
    together = after("correct", step)
    finished(together, crossings.correct)
    all_once(together, {"X1": 2, "X2": 1})
