"""Published attacks on federated research, and those that a budget invites: none gets a person out, none is free.

DataSHIELD's dsBase #250 asks for means of one-hot columns, #251 for the same statistic with one person left out.
"""

import numpy as np
import pytest

from salus.agreements.research import gate
from salus.core.encoding import decode
from salus.node.errors import Conflict, Refused
from salus.node.exchange.wire import RemoteRefusal
from salus.node.research import offer_data, run_model, show_budget, show_result, wire
from salus.node.research.asking import ShowResult
from salus.node.research.permits import OfferData, ShowBudget
from salus.node.research.relaying import RunModel
from tests.node.research.hospitals import COUNT, LOGISTIC, POLICY, TABLE, answer, ask, fill, found, level, offer, permit

PERSONS, SMALLEST = 200, 10
RNG = np.random.default_rng(11)
GROUPS = np.column_stack([np.ones(PERSONS), *(RNG.integers(0, 2, PERSONS) for _ in range(4))]).astype(float)
GROUPS[7, 1] = 1.0
ONE = np.zeros((PERSONS, 1))
ONE[7] = 1.0
FIVE = np.zeros((PERSONS, 1))
FIVE[:5] = 1.0
ATTACKS = {
    "one-hot": [ONE],
    "repeated one-hot": [np.tile(ONE, (1, 3))],
    "weight concentrated on one": [GROUPS[:, 1:2] + 1e6 * ONE],
    "small cell": [FIVE],
    "complement of a small cell": [1 - FIVE],
    "leave one out": [GROUPS[:, 1:2], GROUPS[:, 1:2] * (1 - ONE)],
    "growth by one": [GROUPS[:, 2:3] * (1 - ONE), np.maximum(GROUPS[:, 2:3], ONE)],
    "duplicate with one changed": [GROUPS[:, 3:4], np.abs(GROUPS[:, 3:4] - ONE)],
    "tracker over four cohorts": [np.abs(GROUPS[:, n : n + 1] - ONE) for n in range(1, 5)],
    "sum of trackers": [GROUPS[:, 1:2] + GROUPS[:, 2:3], GROUPS[:, 1:2] - GROUPS[:, 2:3] + ONE, GROUPS[:, 2:3]],
    "outlier": [np.where(ONE > 0, 1.0, 1e-3) * GROUPS[:, :1]],
    "a power of ten for each person": [np.array([[10.0 ** (n / 8)] for n in range(PERSONS)])],
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_combination_that_rests_on_few_does_not_leave(name):
    base, passed = gate.extended(np.zeros((PERSONS, 0)), GROUPS), []
    assert gate.judge(base, SMALLEST).passes
    for columns in ATTACKS[name]:
        grown = gate.extended(base, columns)
        verdict = gate.judge(grown, SMALLEST)
        passed.append(verdict.passes)
        base = grown if verdict.passes else base
    assert not all(passed)
    assert np.einsum("ij,ij->i", base, base).max() <= 1 / SMALLEST + 1e-6


def test_many_models_end_before_they_tell_one_person():
    base, count = gate.extended(np.zeros((PERSONS, 0)), np.ones((PERSONS, 1))), 0
    for _ in range(PERSONS):
        grown = gate.extended(base, RNG.integers(0, 2, (PERSONS, 1)).astype(float))
        if gate.judge(grown, SMALLEST).passes:
            base, count = grown, count + 1
    assert 0 < count <= PERSONS / SMALLEST
    assert np.einsum("ij,ij->i", base, base).max() <= 1 / SMALLEST + 1e-9


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    made = found(tmp_path_factory.mktemp("attacks"), "north")
    fill(made.nodes["north"], 48)
    yield made
    made.close()


def budget(together):
    return show_budget(together.nodes["north"], ShowBudget())


def told(together, query):
    level(together)
    return show_result(together.nodes["university"], ShowResult(query=query)).lines


def test_averaging_gets_the_same_answer_or_pays_from_one_pool(together):
    first, second = offer(together, "north"), offer(together, "north")  # two data sets on the same patients
    permits = [permit(together, {"north": one}, summary=name) for one, name in ((first, "A."), (second, "Renamed."))]
    asked = [
        (permits[0], first, COUNT),
        (permits[0], first, COUNT),  # registered again
        (permits[1], second, COUNT),  # as another study, of another data set
        (permits[0], first, COUNT | {"title": "The same in other words"}),
    ]
    answers = []
    for permit_id, data_set, document in asked:
        spent = budget(together).spent
        query = ask(together, permit_id, document, (data_set,))
        answer(together, query, "north")
        answers.append(told(together, query))
        assert budget(together).spent == spent + 5_000
    assert answers[0] == answers[1] == answers[2]
    draws = together.nodes["north"].desk.research("draw")
    assert len(draws) == 2  # the rewritten question is another one, and has its own noise for its own charge


def test_a_count_that_is_not_begun_is_not_answered_and_costs_nothing(together):
    data_set = offer(together, "north")
    granted = permit(together, {"north": data_set})
    spent = budget(together).spent
    query = ask(together, granted, TABLE, (data_set,))
    assert told(together, query) == ()
    assert budget(together).spent == spent
    kept = together.nodes["north"].desk.research("part", bytes.fromhex(query))
    assert decode(kept[0][1], wire.Held).exact == ()


def test_one_custodian_alone_does_not_answer_a_model(together):
    data_set = offer(together, "north", smallest=3)
    granted = permit(together, {"north": data_set})
    query = ask(together, granted, LOGISTIC, (data_set,))
    with pytest.raises(Conflict, match=r"research\.waiting"):
        run_model(together.nodes["university"], RunModel(query=query))
    answer(together, query, "north")
    with pytest.raises(RemoteRefusal, match=r"research\.few"):
        run_model(together.nodes["university"], RunModel(query=query))
    assert together.nodes["north"].desk.research("sent", bytes.fromhex(query)) == []
    assert together.nodes["north"].desk.research("released") == []


def test_who_is_no_researcher_asks_nothing(together):
    data_set = offer(together, "north")
    with pytest.raises(Refused, match="NO_SUCH_PERMIT"):
        ask(together, "00" * 16, COUNT, (data_set,))
    with pytest.raises(Refused):
        offer_data(
            together.nodes["north"], OfferData(terms=b"", policy=POLICY, ways=("noisy",), co_signers=("North!",))
        )


def test_nothing_of_a_person_is_in_the_ledger(together):
    data_set = offer(together, "north")
    granted = permit(together, {"north": data_set})
    query = ask(together, granted, TABLE, (data_set,))
    answer(together, query, "north")
    node = together.nodes["north"]
    kept = decode(node.desk.research("part", bytes.fromhex(query))[0][1], wire.Held)
    wires = b"".join(one for block in node.ledger.blocks(1) for one in block.transactions)
    for one in kept.counted:
        assert one.link not in wires
    assert b"90560007" not in wires
    assert b"Gout" not in wires
