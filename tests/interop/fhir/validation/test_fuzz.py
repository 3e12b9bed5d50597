"""Whatever stands anywhere in a resource, validation answers with findings, never with a fault of its own."""

import random
from decimal import Decimal
from typing import Any

import pytest

from salus.interop.fhir.validation import Validator
from tests.interop.fhir.validation.test_faults import GOOD, put

pytestmark = pytest.mark.unmeasured

JUNK: list[Any] = [
    None, True, 0, -1, 2**70, Decimal("1e999999999"), Decimal("-0.0"), "", " ", "#", "#x", "x" * 5_000, "\ud7ff", "1/2", "Patient?x",
    "<div>", [], [[]], [None], [1, "a", {}], {}, {"id": []}, {"id": {}, "extension": 3}, {"reference": "#"}, {"reference": ["#"]},
    {"resourceType": "Patient"}, {"resourceType": "Patient", "contained": [{}, 3, {"resourceType": "Patient", "id": []}]},
    {"coding": [3, {"system": [], "code": {}}]}, {"url": [], "valueString": {}}, {"system": "http://loinc.org", "code": "\u0661-1"},
]  # fmt: skip


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value of a tree."""
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [one for key, value in steps for one in ((*path, key), *places(value, (*path, key)))]


@pytest.mark.parametrize("name", sorted(GOOD))
def test_junk_in_every_place_is_a_finding(name: str) -> None:
    validator = Validator()
    for path in places(GOOD[name]):
        for junk in JUNK:
            validator.check(put(GOOD[name], path, junk))


@pytest.mark.parametrize("name", sorted(GOOD))
def test_junk_in_several_places_at_once(name: str) -> None:
    validator, chosen = Validator(), random.Random(7)
    for _ in range(300):
        tree = GOOD[name]
        for _ in range(chosen.randint(2, 5)):
            spots = places(tree)
            if spots:
                path = chosen.choice(spots)
                tree = put(
                    tree,
                    (*path[:-1], chosen.choice([path[-1], "extension"]) if isinstance(path[-1], str) else path[-1]),
                    chosen.choice(JUNK),
                )
        validator.check(tree)
