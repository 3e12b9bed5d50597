"""What a site is to be paid: signed visits once, stipends up to their cap, and what of a statement does not follow."""

import json

import pytest
from msgspec import structs

from salus.agreements.trials.conduct import Query, State
from salus.agreements.trials.payments import STIPEND, VISIT, Line, Statement, commitment, lines_due, wrong_lines
from salus.agreements.trials.terms import analyses_of, check_terms, read_terms

from . import sample

ONE, OTHER = b"subject-1", b"subject-2"
TERMS = {
    "payments": [{"visit": "screen", "amount": 250}, {"visit": "week4", "amount": 500}],
    "stipends": [{"visit": "screen", "amount": 40}, {"visit": "base", "amount": 40}, {"visit": "week4", "amount": 40}],
    "stipend_cap": 100,
}


def terms(**changes):
    return read_terms(json.dumps(json.loads(sample.part("terms-1")) | TERMS | changes).encode())


def state(*, signed=("screen", "week4"), queries=()):
    visits = {"week4": "2026-02-01", "screen": "2025-12-20", "base": "2026-01-01"}
    return State(visits=visits, signed=dict.fromkeys(signed, 9), queries=list(queries))


def test_signed_visits_are_paid_and_stipends_up_to_their_cap():
    told = [(line.visit, line.what, line.amount) for line in lines_due([(ONE, state())], terms(), {})]
    assert told == [
        ("screen", VISIT, 250),
        ("screen", STIPEND, 40),
        ("base", STIPEND, 40),
        ("week4", VISIT, 500),
        ("week4", STIPEND, 20),
    ]


def test_what_is_settled_is_paid_once_and_counts_towards_the_cap():
    settled = {(ONE, "week4", STIPEND): 90, (ONE, "screen", VISIT): 250}
    told = [(line.visit, line.what, line.amount) for line in lines_due([(ONE, state())], terms(), settled)]
    assert told == [("screen", STIPEND, 10), ("week4", VISIT, 500)]
    other = lines_due([(OTHER, state())], terms(), settled)
    assert sum(line.amount for line in other if line.what == STIPEND) == 100


def test_an_open_query_or_a_missing_signature_holds_a_visit_back_and_no_stipend():
    asked = state(signed=("screen",), queries=[Query(7, "screen/measure/1/PAIN", "", "open")])
    told = lines_due([(ONE, asked)], terms(), {})
    assert {line.what for line in told} == {STIPEND}


def test_the_order_of_participants_and_of_arms_changes_nothing():
    both = [(OTHER, state()), (ONE, state())]
    assert lines_due(both, terms(), {}) == lines_due(both[::-1], terms(), {})


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((Line(ONE, "screen", VISIT, 251),), "250 is due"),
        ((Line(ONE, "screen", VISIT, 0),), "250 is due"),
        ((Line(ONE, "base", VISIT, 250),), "not due"),
        ((Line(OTHER, "screen", VISIT, 250),), "not due"),
        ((Line(ONE, "screen", VISIT, 250), Line(ONE, "screen", VISIT, 250)), "stated twice"),
        ((Line(ONE, "week4", VISIT, 500),), "settled before"),
        ((Line(ONE, "week4", STIPEND, 21),), "20 is due"),
    ],
)
def test_attack_a_statement_that_does_not_follow(lines, told):
    settled = {(ONE, "week4", VISIT): 500}
    statement = Statement(sample.STUDY, sample.SITE, 2, 1, lines)
    assert any(told in each for each in wrong_lines(statement, [(ONE, state())], terms(), settled))


def test_a_statement_may_leave_lines_for_the_next():
    lines = lines_due([(ONE, state())], terms(), {})[1:]
    statement = Statement(sample.STUDY, sample.SITE, 1, 1, lines)
    assert wrong_lines(statement, [(ONE, state())], terms(), {}) == ()
    assert commitment(statement, bytes(32)) != commitment(structs.replace(statement, number=2), bytes(32))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"stipend_cap": 0}, "stipend-cap"),
        ({"stipends": []}, "stipend-cap"),
        ({"stipends": [{"visit": "nowhere", "amount": 1}]}, "no-such-visit"),
        ({"payments": [{"visit": "screen", "amount": 1}] * 2}, "visit-twice"),
    ],
)
def test_terms_that_cannot_be_paid_by_are_refused(changes, rule):
    plan, _ = sample.ONE
    found = check_terms(plan, terms(**changes), analyses_of(sample.part("analysis")))
    assert [each.rule for each in found] == [rule]
    assert check_terms(plan, terms(), analyses_of(sample.part("analysis"))) == ()
