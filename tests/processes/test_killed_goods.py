"""A maker killed (SIGKILL) between its files, the ledger and its own books: the lot is there once, with every pack."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from salus.contracts.supply import port
from salus.node.supply.resuming import MAKING
from salus.node.supply.stock import index_of
from tests.interop.epcis.documents import commissioning, document, packing
from tests.processes.dying import Dying
from tests.processes.members import Member, member
from tests.processes.test_killed import KILLED, opened


@pytest.fixture(scope="module")
def dying() -> Iterator[Dying]:
    begun = Dying()
    yield begun
    begun.close()


@pytest.fixture
def maker(tmp_path: Path) -> Member:
    """A member on a ledger of its own that licenses itself, with a file of 48 packs."""
    one = member(tmp_path, "north")
    card = one.told(
        "network",
        "card",
        "--name",
        "North",
        "--roles",
        "regulator",
        "--roles",
        "manufacturer",
        "--jurisdiction",
        "US-MA",
    )["card"]
    one.told("network", "found", "--network", "lake-county", "--card", card, "--accept-forgetting")
    one.told("supply", "license", "--member", "north", "--kinds", "maker")
    (one.home / "lot.json").write_bytes(document(commissioning(48), packing(48)))
    return one


@pytest.mark.parametrize(
    "step",
    [
        "lot told, not kept",
        pytest.param("lot kept, still meant", marks=pytest.mark.soak),
        pytest.param("lot meant, not told", marks=pytest.mark.soak),
        pytest.param("lot kept, count not told", marks=pytest.mark.soak),
    ],
)
def test_amid_a_commissioning(maker: Member, dying: Dying, step: str) -> None:
    assert dying.run(maker, step, "supply", "commission", "--files", "lot.json") == KILLED
    for _ in range(2):
        assert maker.told("supply", "commission", "--files", "lot.json") == {"lots": 1, "units": 48}
    assert [line.split()[1] for line in maker.told("supply", "counts")["lots"]] == ["48"]
    with opened(maker) as node:
        assert len(list(node.ledger.read().range(port.LOTS))) == 1
        assert [stock.parts[0].box.count() for stock in index_of(node).stocks.values()] == [48]
        assert node.desk.supply(MAKING) == []
