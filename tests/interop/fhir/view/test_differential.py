"""Random views against rows put together by hand from what fhirpathpy says of each path."""

from hypothesis import given, settings
from hypothesis import strategies as st

from salus.interop.fhir.view import View, ViewMalformed
from tests.interop.fhir.fhirpath.test_differential import BARE, COLLECTIONS, CONDITIONS, PATHS, canonical, theirs


def rows_of(select, where=()):
    view = View(
        {"resource": "Patient", "select": select} | ({"where": [{"path": path} for path in where]} if where else {})
    )
    return [
        tuple([canonical(one) for one in cell] if isinstance(cell, list) else canonical(cell) for cell in row)
        for row in view.rows([BARE])
    ]


KNOWN_PATHS = PATHS.filter(lambda path: path != "nosuch")
KNOWN_CONDITIONS = CONDITIONS.filter(lambda text: "nosuch" not in text)


@settings(max_examples=60, deadline=None)
@given(KNOWN_PATHS, KNOWN_PATHS, KNOWN_CONDITIONS, st.sampled_from(["forEach", "forEachOrNull"]))
def test_rows_are_the_product_of_what_the_paths_give(first, second, condition, iteration):
    select = [
        {"column": [{"name": "all", "path": first, "collection": True}]},
        {iteration: second, "column": [{"name": "one", "path": "$this", "collection": True}]},
    ]
    every = theirs(BARE, second)
    expected = [(theirs(BARE, first), [one]) for one in every]
    if not every and iteration == "forEachOrNull":
        expected = [(theirs(BARE, first), [])]
    if theirs(BARE, condition) != ["True"]:
        expected = []
    found = rows_of(select, [condition])
    assert [(one, [cell for cell in two if cell != "None"]) for one, two in found] == expected


@settings(max_examples=60, deadline=None)
@given(COLLECTIONS, COLLECTIONS)
def test_a_union_is_one_branch_after_the_other(first, second):
    branches = [
        {"forEach": path, "column": [{"name": "one", "path": "$this", "collection": True}]} for path in (first, second)
    ]
    try:
        found = rows_of([{"unionAll": branches}])
    except ViewMalformed as refusal:
        assert "nosuch" in str(refusal)  # noqa: PT017  # what is refused is a path with an element that Patient has not
        return
    assert [one for ((one,),) in found] == theirs(BARE, first) + theirs(BARE, second)
