"""How many of people registered twice are found, and how many pairs are of two people: on synthetic people, from a seed."""

import json

import pytest

from salus.contracts.membership.port import Role
from salus.node.identity import match
from salus.node.identity.comparing import Match
from salus.node.pairs import in_standing
from salus.node.records.intake import Intake
from salus.node.together import Clock, Founder, found_together
from tests.node.duplicates import People


def measured(node, folder, count):
    """Take two desks' people in; return (pairs joined, pairs waiting, pairs of one person), as ids."""
    people = People(20260101).draw(count)
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


@pytest.mark.parametrize("count", [120, pytest.param(5000, marks=pytest.mark.soak)])
def test_nobody_is_joined_with_another_and_few_are_missed(tmp_path, count):
    together = found_together(tmp_path / "members", (Founder("north", "North", (Role.PROVIDER,)),), clock=Clock())
    try:
        joined, waiting, true = measured(together.nodes["north"], tmp_path, count)
    finally:
        together.close()
    told = f"joined {len(joined & true)} of {len(true)}, waiting {len(waiting & true)}; false: {len(joined - true)}, {len(waiting - true)}"
    print(told)  # noqa: T201 -- the figures of docs/how-to/know-who-is-who.md
    assert not joined - true, told
    assert len((joined | waiting) & true) >= 0.9 * len(true), told
    assert len(waiting & true) >= 0.8 * len(waiting), told
