"""Members killed (SIGKILL) between two durable acts of a step of goods: nothing told is lost, nothing half there, nothing twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from salus.contracts.supply import port
from salus.node.exchange.wire import RemoteRefusal
from salus.node.supply import answering, moving
from salus.node.supply.counting import ListCounts, list_counts
from salus.node.supply.resuming import MAKING, RECEIVING, SHIPPING
from salus.node.supply.stock import STOCK, index_of, one_time, units_of
from salus.node.together import Together
from tests.processes import goods
from tests.processes.conftest import Reopened
from tests.processes.dying import Dying

pytestmark = pytest.mark.unmeasured

IN_TRANSIT = port.Status.IN_TRANSIT


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("goods") / "ready"
    goods.prepare(folder)
    return folder


def soak(step: str) -> object:
    return pytest.param(step, marks=pytest.mark.soak)


@pytest.fixture
def after(ready: Path, dying: Dying, killing: Callable[..., Reopened]) -> Reopened:
    return killing(ready, dying.goods, goods.opened)


def nothing_begun(together: Together) -> bool:
    return not any(node.desk.supply(kind) for node in together.nodes.values() for kind in (MAKING, SHIPPING, RECEIVING))


def owners(together: Together, product: str) -> dict[str, int]:
    """Return how many units of a product's lot the ledger says each member owns, whatever may be done with them."""
    state = together.owner.ledger.read()
    found: dict[str, int] = {}
    index = index_of(together.nodes["maker"])
    for stock in index.stocks.values():
        for part in stock.parts:
            if stock.hop or part.product.decode().split("|")[1] != product:
                continue
            for _, standing in units_of(state, index, part):
                whose = [name for name, node in together.nodes.items() if one_time(node, standing.holding.owner)]
                assert len(whose) == 1
                found[whose[0]] = found.get(whose[0], 0) + 1
    return found


@pytest.mark.parametrize(
    "step",
    ["step told, not kept", soak("lot kept, still meant"), soak("step meant, not told"), "lot kept, count not told"],
)
def test_amid_a_commissioning(after: Reopened, step: str) -> None:
    together = after("commission", step)
    for _ in range(2):
        goods.commission(together)
    goods.settled(together)
    assert owners(together, "B2") == {"maker": 2}
    assert len(list(together.owner.ledger.read().range(port.LOTS))) == 2
    told = list_counts(together.nodes["board"], ListCounts()).lots
    assert sorted(line.split()[1] for line in told) == ["12", "2"]
    assert nothing_begun(together)


@pytest.mark.parametrize(
    "step",
    [
        soak("step meant, not told"),
        "packed, not shipped",
        "step told, not kept",
        soak("hop kept, not sent"),
        "taken, not noted",
        soak("hop sent, still meant"),
    ],
)
def test_amid_a_shipment(after: Reopened, step: str) -> None:
    together = after("ship", step)
    corner, board = together.nodes["corner"], together.nodes["board"]
    for _ in range(2):
        goods.ship(together)
    goods.settled(together)
    assert nothing_begun(together)
    coming = [one for one in moving.inbound(corner) if one.hop.documents == ("po 3",)]
    rows = [row for _, row in together.owner.ledger.read().range(port.HOLDINGS) if row.status is IN_TRANSIT]
    assert (len(coming), len([row for row in rows if not row.parent])) == (1, 2)
    assert [one.hop for one in answering.follow(board, goods.LEAVING[0], "inspection")] == [coming[0].hop]
    assert owners(together, "A1") == {"maker": 8, "corner": 4}
    assert moving.receive(corner, coming[0].hop.holding, None).units == 2
    goods.settled(together)
    assert owners(together, "A1") == {"maker": 6, "corner": 6}


@pytest.mark.parametrize("step", ["step told, not kept", soak("step meant, not told"), "stock kept, still on its way"])
def test_amid_a_receipt(after: Reopened, step: str) -> None:
    together = after("receive", step)
    corner = together.nodes["corner"]
    for intent in corner.desk.supply(RECEIVING):
        done = moving.receive(corner, intent[0], None)
        assert (done.units, done.missing) == (1, ("S000005",))
    goods.settled(together)
    assert nothing_begun(together)
    assert moving.inbound(corner) == []
    assert len(corner.desk.supply(STOCK)) == 2
    assert owners(together, "A1") == {"maker": 7, "corner": 5}
    assert answering.verify(corner, goods.COMING[0]).verdict.code == ""
    assert answering.verify(corner, goods.COMING[1]).verdict.code == "SUSPECT"


@pytest.mark.parametrize("step", ["recall told, not answered"])
def test_amid_a_recall(after: Reopened, step: str) -> None:
    together = after("recall", step)
    goods.recall(together)
    goods.settled(together)
    held = {
        name: sum(len(one.serials) for one in answering.recalled_here(node)) for name, node in together.nodes.items()
    }
    assert held == {"board": 0, "maker": 8, "corner": 4}
    with pytest.raises(RemoteRefusal) as refused:
        goods.end(together)
    assert refused.value.code == "supply.RECALLED"


@pytest.mark.parametrize("step", ["found kept, not told", soak("found told, regulators not")])
def test_amid_an_answer_to_a_recall(after: Reopened, step: str) -> None:
    together = after("acknowledge", step)
    corner = together.nodes["corner"]
    assert answering.acknowledge(corner) in {0, 4}
    assert answering.acknowledge(corner) == 0
    assert [one.acknowledged for one in answering.recalled_here(corner)] == [True]
    lots = [id_ for id_, _ in together.owner.ledger.read().range(port.LOTS)]
    assert [len(list(port.acknowledgements(together.owner.ledger.read(), lot))) for lot in lots] == [1]


def test_amid_a_dispensing(after: Reopened) -> None:
    """The ledger has it and nobody was told: it stands, and is dispensed no second time."""
    together = after("end", "ended, not answered")
    with pytest.raises(RemoteRefusal) as refused:
        goods.end(together)
    assert refused.value.code == "supply.WRONG_STATUS"
    assert answering.verify(together.nodes["corner"], goods.DISPENSED).verdict.code == "DISPENSED"
    ended = [row for _, row in together.owner.ledger.read().range(port.HOLDINGS) if row.status is port.Status.ENDED]
    assert len(ended) == 1
