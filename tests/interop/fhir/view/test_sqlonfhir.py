"""Random views against the rows that sqlonfhir gives, kept beside this test (`tools/oracles.py` makes them).

Two differences: it multiplies the iterations of a select in another order, which the specification leaves open; and in
the row of an empty `forEachOrNull` it says null for a collection, where the specification's cases have an empty list.
"""

import json
from pathlib import Path

import pytest

from salus.interop.fhir.view import View, ViewFailed

KNOWN = json.loads((Path(__file__).parent / "sqlonfhir.json").read_text())
TAKEN = [case for case in KNOWN["cases"] if case["rows"] is not None]
REFUSED = [case["view"] for case in KNOWN["cases"] if case["rows"] is None]


def rows(found):
    """Return rows without their order, and nothing and an empty list as one."""
    return sorted(json.dumps({name: cell or None if isinstance(cell, list) else cell for name, cell in row.items()},
                             sort_keys=True, default=str) for row in found)  # fmt: skip


def test_rows_of_random_views_are_those_of_sqlonfhir():
    assert len(TAKEN) >= 100
    for case in TAKEN:
        assert rows(View(case["view"]).dicts(KNOWN["resources"])) == rows(case["rows"]), case["view"]


def test_what_it_refuses_is_refused_here():
    """Many values in a column that holds one."""
    assert len(REFUSED) >= 20
    for view in REFUSED:
        with pytest.raises(ViewFailed, match="no collection"):
            list(View(view).rows(KNOWN["resources"]))
