"""Reading expressions: precedence, literals, where a fault is, bounds."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath import ExpressionMalformed, LimitExceeded
from salus.interop.fhir.fhirpath.lexer import MAX_EXPRESSION
from salus.interop.fhir.fhirpath.parser import MAX_DEPTH, MAX_LEVELS, parse
from salus.interop.fhir.fhirpath.syntax import Binary, Literal, Member, TypeTest, Unary


def test_precedence_follows_the_table():
    tree = parse("a or b and c = d + e * -f")
    assert isinstance(tree, Binary)
    assert tree.operator == "or"
    assert tree.right.operator == "and"
    assert tree.right.right.operator == "="
    assert tree.right.right.right.operator == "+"
    assert tree.right.right.right.right.operator == "*"
    assert isinstance(tree.right.right.right.right.right, Unary)


def test_operators_of_one_strength_group_to_the_left():
    assert fhirpath.compile("10 - 4 - 3")({}) == [3]
    assert fhirpath.compile("false implies false implies false")({}) == [False]


def test_a_type_test_binds_closer_than_an_order():
    tree = parse("1 > 2 is Boolean")
    assert isinstance(tree, Binary)
    assert isinstance(tree.right, TypeTest)


def test_words_of_operators_may_name_elements():
    assert parse("is.contains.as") == Member(Member(Member(None, "is", 0), "contains", 3), "as", 12)
    assert fhirpath.compile("expansion.contains.code")({"expansion": {"contains": [{"code": "a"}]}}) == ["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.50", Decimal("1.50")),
        ("'a\\'b\\u0041'", "a'bA"),
        ("true", True),
        ("{}", None),
    ],
)
def test_literals_keep_what_is_written(text, value):
    tree = parse(text)
    assert isinstance(tree, Literal)
    assert tree.value == value
    assert str(tree.value) == str(value)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("", 1, 1, "empty"),
        ("a.", 1, 3, "the end"),
        ("a b", 1, 3, "unexpected 'b'"),
        ("(a", 1, 3, "expected ')'"),
        ("a.where(b = 1", 1, 14, "expected ')'"),
        ("a\n  .b[\n 1", 3, 3, "expected ']'"),
        ("'open", 1, 1, "unexpected"),
        ("'\\q'", 1, 2, "escape"),
        ("@2015-02-30", 1, 1, "no date"),
        ("@2015-13", 1, 1, "no date"),
        ("a.$this", 1, 3, "cannot follow"),
        ("1 /* open", 1, 3, "unexpected"),
        ("a.nosuch()", 1, 3, "no function nosuch()"),
        ("a.skip()", 1, 3, "takes 1 arguments"),
        ("a is Nosuch", 1, 3, "no type Nosuch"),
        ("a.ofType('x')", 1, 10, "takes a type"),
        ("a ; b", 1, 3, "unexpected ';'"),
    ],
)
def test_a_fault_is_told_by_its_place(text, line, column, says):
    with pytest.raises(ExpressionMalformed, match=r".") as refusal:
        fhirpath.compile(text)
    assert (refusal.value.line, refusal.value.column) == (line, column)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1),
        "a.where(" * (MAX_DEPTH + 1) + "b" + ")" * (MAX_DEPTH + 1),
        "-" * (MAX_LEVELS + 1) + "1",
        "a" + ".a" * (MAX_LEVELS + 1),
        "1" + "+1" * (MAX_LEVELS + 1),
        "1" * (MAX_EXPRESSION + 1),
    ],
)
def test_what_is_too_deep_or_too_long_is_refused(text):
    with pytest.raises(LimitExceeded):
        fhirpath.compile(text)


def test_the_deepest_expression_allowed_is_evaluated():
    deep = "(" * (MAX_DEPTH - 1) + "a" + ")" * (MAX_DEPTH - 1)
    assert fhirpath.compile(deep)({"a": 1}) == [1]
    assert fhirpath.compile("1" + "+1" * (MAX_LEVELS - 1), context=["Patient"])({}) == [MAX_LEVELS]


@settings(deadline=None)
@given(st.text(max_size=60) | st.text("a.()[]'`@%$ 12T:-/*|&<>=~{},\n\\", max_size=60))
def test_any_text_is_an_expression_or_refused_by_name(text):
    with contextlib.suppress(fhirpath.FhirPathError):
        fhirpath.compile(text)
