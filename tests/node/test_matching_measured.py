"""How many of people registered twice are found, and how many pairs are of two people: on synthetic people, from a seed."""

import json

import pytest

from salus.contracts.membership.port import Role
from salus.node.identity import match
from salus.node.identity.comparing import Match
from salus.node.pairs import in_standing
from salus.node.records.intake import Intake
from salus.node.together import Clock, Founder, found_together
from tests.node.duplicates import Households, Movers, People, Sparse

SOAK = pytest.mark.soak


def measured(node, folder, people):
    """Take two desks' people in; return (pairs joined, pairs waiting, pairs of one person), as ids."""
    names = {}
    for source, told in (("urn:first", people.first), ("urn:second", people.second)):
        file = folder / f"{source[4:]}.ndjson"
        file.write_text("\n".join(map(json.dumps, told)))
        Intake(node, source).run([file])
        names |= {node.vault.find_link(source, one["id"]): one["id"] for one in told}
    match(node, Match())
    found = [
        {tuple(sorted((names[one.one], names[one.other]))) for one in in_standing(node, standing)}
        for standing in ("same", "waiting")
    ]
    return *found, people.pairs


@pytest.mark.parametrize(
    ("kind", "seed", "count"),
    [
        (People, 20260101, 120),
        pytest.param(People, 20260101, 5000, marks=SOAK),
        pytest.param(People, 7, 3000, marks=SOAK),
        pytest.param(Households, 8, 3000, marks=SOAK),
        pytest.param(Movers, 9, 3000, marks=SOAK),
        pytest.param(Sparse, 10, 3000, marks=SOAK),
    ],
)
def test_nobody_is_joined_with_another_and_few_are_missed(tmp_path, kind, seed, count):
    together = found_together(tmp_path / "members", (Founder("north", "North", (Role.PROVIDER,)),), clock=Clock())
    try:
        joined, waiting, true = measured(together.nodes["north"], tmp_path, kind(seed).draw(count))
    finally:
        together.close()
    told = f"{kind.__name__}: joined {len(joined & true)} of {len(true)}, waiting {len(waiting & true)}; false: {len(joined - true)}, {len(waiting - true)}"
    print(told)  # noqa: T201 -- the figures of docs/how-to/know-who-is-who.md
    assert not joined - true, told
    found = (joined | waiting) & true
    assert len(found) >= 0.95 * len(true), told
    assert len(found) >= 0.95 * len(joined | waiting), told
