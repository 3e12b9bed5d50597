"""What a question costs where nobody begins it in time: nothing."""

import pytest

from salus.contracts.research import port
from salus.node.research.releasing import release_due

from .hospitals import COUNT, answer, ask, fill, found, level, offer, permit


@pytest.fixture
def together(tmp_path):
    made = found(tmp_path, "north", "south")
    yield made
    made.close()


def test_a_charge_comes_back_where_a_question_was_not_begun_in_time_and_nowhere_else(together):
    nodes = {name: together.nodes[name] for name in ("north", "south")}
    for node in nodes.values():
        fill(node, 12)
    data_sets = {name: offer(together, name) for name in nodes}
    granted = permit(together, data_sets)
    query = ask(together, granted, COUNT, tuple(sorted(data_sets.values())))
    answer(together, query, "north")

    def stands(name):
        node = nodes[name]
        data_set = bytes.fromhex(data_sets[name])
        state = node.ledger.read()
        part = port.query_part(state, bytes.fromhex(query), data_set)
        return part.status, port.permit_part(state, bytes.fromhex(granted), data_set).used

    charge = port.query(nodes["south"].ledger.read(), bytes.fromhex(query)).charge
    assert stands("south") == (port.PartStatus.REGISTERED, charge)
    assert [release_due(node) for node in nodes.values()] == [0, 0]
    together.clock.advance(port.BEGIN_BY + 60_000)
    assert [release_due(node) for node in nodes.values()] == [0, 1]
    level(together)
    assert [release_due(node) for node in nodes.values()] == [0, 0]
    assert stands("south") == (port.PartStatus.RELEASED, 0)
    assert stands("north") == (port.PartStatus.ANSWERED, charge)
