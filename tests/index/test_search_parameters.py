"""Every search parameter of every type of R4 finds what has its element, and nothing by another value."""

import pytest

from salus.index.index import EVERYTHING, Index, shipped_rules
from salus.interop.fhir.search.definitions import parameters
from salus.interop.fhir.search.query import read_query
from salus.interop.fhir.survey import TYPES
from tests.index.filled import asked, entries
from tests.index.test_search_consent import Listed

NEVER = {
    ("DeviceDefinition", "classification"),  # published for an element that R4 has not
}


@pytest.fixture(scope="module")
def index():
    with Index(None, key=bytes(32), rules=shipped_rules()) as index:
        records = entries(TYPES, bytes(16))
        assert index.catch_up(Listed(records)).unread == 0
        yield index


def total(index, kind, code, value):
    return index.search.page(read_query(kind, [(code, value), ("_summary", "count")], now=0), EVERYTHING).total


def own(kind):
    """Yield the parameters of a type, those of every type with the first alone."""
    general = parameters("Account").keys() & parameters("ValueSet").keys() & parameters("Binary").keys()
    return {code: one for code, one in parameters(kind).items() if kind == "Account" or code not in general}


@pytest.mark.unmeasured
def test_every_parameter_finds_by_its_value_alone(index):
    found, other, count = set(), set(), 0
    for kind in sorted(TYPES):
        for code, parameter in own(kind).items():
            values, absent = asked(parameter)
            count += 1
            if total(index, kind, code, "x0" if code == "_id" else ",".join(values)):
                found.add((kind, code))
            if total(index, kind, code, absent):
                other.add((kind, code))
    assert count > 1_600
    assert {(kind, code) for kind in TYPES for code in own(kind)} - found == NEVER
    assert other == set()


@pytest.mark.soak
def test_what_is_missing_and_what_is_not_are_all(index):
    for kind in sorted(TYPES):
        every = index.search.page(read_query(kind, [("_summary", "count")], now=0), EVERYTHING).total
        for code in parameters(kind):
            told = [total(index, kind, f"{code}:missing", missing) for missing in ("true", "false")]
            assert sum(told) == every, (kind, code)
            assert told[1] or (kind, code) in NEVER, (kind, code)
