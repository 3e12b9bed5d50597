"""Any expression on any record gives a list or a named refusal, never anything else."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath.registry import FUNCTIONS

pytestmark = pytest.mark.unmeasured

KEYS = st.sampled_from(
    ["id", "name", "given", "family", "value", "valueQuantity", "valueString", "code", "coding", "system", "reference", "extension",
     "url", "birthDate", "_birthDate", "contained", "period", "start", "end", "active", "resourceType"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.decimals(allow_nan=False), st.text(max_size=8),
    st.sampled_from(["Patient", "Observation", "2020-01", "2020-01-01T10:00:00Z", "http://x", "#a", "Patient/1", Decimal("1E+99999")]),
)  # fmt: skip
RECORDS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)
TYPES = st.sampled_from(["Patient", "Observation", "Bundle", "QuestionnaireResponse"])

ATOMS = st.sampled_from(
    ["name", "given", "value", "code", "birthDate", "period.start", "$this", "$index", "$total", "%resource", "%ucum", "1", "2.50",
     "'a'", "true", "{}", "@2020", "@2020-01-02T03:04Z", "@T10", "5 'mg'", "3 days", "Patient", "children()", "descendants()",
     "now()", "today()"]
)  # fmt: skip
OPERATORS = st.sampled_from(
    [
        "+",
        "-",
        "*",
        "/",
        "div",
        "mod",
        "&",
        "|",
        "=",
        "!=",
        "~",
        "!~",
        "<",
        "<=",
        ">",
        ">=",
        "and",
        "or",
        "xor",
        "implies",
        "in",
        "contains",
    ]
)


@st.composite
def calls(draw, inner):
    name = draw(st.sampled_from(sorted(FUNCTIONS)))
    entry = FUNCTIONS[name]
    count = draw(st.integers(entry.low, min(entry.high, 3)))
    return f"({draw(inner)}).{name}({', '.join(draw(inner) for _ in range(count))})"


EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, OPERATORS, inner),
        st.builds("(-{})".format, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({} is {})".format, inner, st.sampled_from(["Patient", "string", "System.Integer", "Quantity"])),
        st.builds("({}).ofType({})".format, inner, st.sampled_from(["Patient", "string", "dateTime"])),
        st.builds("({}).sort({}, -{})".format, inner, inner, inner),
        calls(inner),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, st.dictionaries(KEYS, RECORDS, max_size=6), TYPES)
def test_a_list_or_a_named_refusal(expression, record, kind):
    environment = fhirpath.Environment(now="2026-01-01T00:00:00Z", limit=20_000)
    try:
        compiled = fhirpath.compile(expression)
        assert isinstance(compiled(record | {"resourceType": kind}, environment), list)
        assert isinstance(compiled(record, environment), list)
    except fhirpath.FhirPathError:
        pass


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, TYPES)
def test_the_check_of_types_never_fails_otherwise(expression, kind):
    try:
        types = fhirpath.compile(expression, context=[kind]).types
        assert types is None or isinstance(types, frozenset)
    except fhirpath.ExpressionMalformed:
        pass
