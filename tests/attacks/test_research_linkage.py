"""An outsider with the whole ledger looks for questions that counted the same persons: they look like any others.

Sixty groups of persons at one custodian, ten questions over each, with the same figures, in random order. The outsider may use
everything that stands in the rows; each measure is scored by its AUC, the chance that it ranks two questions over one group
above two over different ones. What ways, charges and data sets tell is held equal here.
"""

import random
from itertools import combinations

from salus.agreements.research import population
from salus.contracts.research.port import Answer, Begin, QueryPart, Register, Way, query_part
from salus.core.encoding import encode
from salus.node.research.wire import answer_commitment
from tests.attacks.test_claims_linkage import auc, near
from tests.contracts.test_research_story import PERMIT_ID, A, agreed, founded

GROUPS, QUESTIONS, PERSONS = 60, 10, 5
MOST = 0.55
FIGURES = (17, 4)
Row = tuple[int, bytes, QueryPart]


def filled(chance: random.Random) -> tuple[list[Row], dict[bytes, int]]:
    """Return the rows in order of their begins, and which group each question counted."""
    ledger = agreed(founded())
    groups = [[(chance.randbytes(16), chance.randbytes(32), chance.randbytes(32)) for _ in range(PERSONS)]
              for _ in range(GROUPS)]  # fmt: skip
    asked = [group for group in range(GROUPS) for _ in range(QUESTIONS)]
    chance.shuffle(asked)
    rows: list[Row] = []
    counted: dict[bytes, int] = {}
    for place, group in enumerate(asked):
        query, salt = chance.randbytes(16), chance.randbytes(32)
        leaves = {
            population.path(secret, query): population.value(population.salt_of(salt, link), choice)
            for link, secret, choice in groups[group]
        }
        noise = (Way.NOISY, 1, 5_000_000)  # one micro-ρ
        ledger.send(Register(query, PERMIT_ID, (A,), chance.randbytes(32), *noise), "university")
        ledger.send(Begin(query, A, population.root_of(leaves)))
        ledger.send(Answer(query, A, answer_commitment(FIGURES, chance.randbytes(32))))
        row = query_part(ledger.state, query, A)
        assert row is not None
        rows.append((place, query, row))
        counted[query] = group
    return rows, counted


MEASURES = {
    "question ids alike": lambda one, other: near(one[1], other[1]),
    "roots alike": lambda one, other: near(one[2].population, other[2].population),
    "roots near": lambda one, other: -abs(int.from_bytes(one[2].population) - int.from_bytes(other[2].population)) / 2**256,
    "answers alike": lambda one, other: near(one[2].answer, other[2].answer),
    "any field the same": lambda one, other: float(
        bool({one[2].population, one[2].answer} & {other[2].population, other[2].answer})
    ),
    "near in order": lambda one, other: -abs(one[0] - other[0]),
    "rows of one size": lambda one, other: -abs(len(encode(one[2])) - len(encode(other[2]))),
}  # fmt: skip


def test_questions_over_the_same_persons_are_not_told_from_others() -> None:
    chance = random.Random(20261126)
    rows, counted = filled(chance)
    same = [pair for pair in combinations(rows, 2) if counted[pair[0][1]] == counted[pair[1][1]]]
    apart = [pair for pair in combinations(rows, 2) if counted[pair[0][1]] != counted[pair[1][1]]]
    assert len(same) == GROUPS * QUESTIONS * (QUESTIONS - 1) // 2
    others = chance.sample(apart, len(same))
    for name, measure in MEASURES.items():
        found = auc([measure(*pair) for pair in same], [measure(*pair) for pair in others])
        assert 1 - MOST <= found <= MOST, f"{name}: {found:.3f}"
