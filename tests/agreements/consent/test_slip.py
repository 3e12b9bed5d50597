"""A slip says what it permits and nothing it does not understand."""

import msgspec
import pytest

from salus.agreements.consent.conditions import Row, holds
from salus.agreements.consent.decide import Asker, PolicyClass, decide
from salus.agreements.consent.slip import BadTerms, SlipTerms, provisions

ASKER = Asker("clinic", "physician", "TREAT", 500)
TERMS = SlipTerms("clinic", (), ("TREAT",), 0, 1000, ("general", "laboratory"))
LAB = PolicyClass("Observation", 2, "", ())
ROW = Row(100, 200, frozenset({("s", "a")}), "Observation/1", "e")


def permitted(row_class=LAB, row=ROW, asker=ASKER, **changes) -> bool:
    terms = provisions(msgspec.structs.replace(TERMS, **changes))
    return holds(decide(terms, asker, row_class).residual, row)


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, True),
        ({"classes": ("general",)}, False),
        ({"classes": ()}, False),
        ({"purposes": ()}, False),
        ({"purposes": ("HRESCH",)}, False),
        ({"roles": ("nurse",)}, False),
        ({"grantee": "other"}, False),
        ({"expiry": 500}, False),
        ({"not_before": 501}, False),
        ({"since": 150}, True),
        ({"since": 200}, False),
        ({"until": 100}, False),
        ({"until": 101}, True),
        ({"filters": ("Condition",)}, False),
        ({"filters": ("Condition", "Observation")}, True),
        ({"filters": ("Observation?code=s|a",)}, True),
        ({"filters": ("Observation?category=a",)}, True),
        ({"filters": ("Observation?code=t|a,s|b",)}, False),
        ({"filters": ("Observation?_id=1",)}, True),
        ({"filters": ("Observation?_id=2,3",)}, False),
        ({"filters": ("Observation?encounter=Encounter/e&code=a",)}, True),
        ({"filters": ("Observation?encounter=f",)}, False),
    ],
)
def test_what_a_slip_permits(changes, want):
    assert permitted(**changes) is want


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("secret",)},
        {"filters": ("Observations",)},
        {"filters": ("",)},
        {"filters": ("Observation?value-quantity=5",)},
        {"filters": ("Observation?code=a&code=b",)},
        {"filters": ("Observation?code:not=a",)},
        {"filters": ("Observation?code=",)},
        {"filters": ("Observation?_id=a b",)},
    ],
)
def test_terms_that_are_not_understood_serve_nothing(changes):
    with pytest.raises(BadTerms):
        permitted(**changes)
