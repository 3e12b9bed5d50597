"""Every reason of the ledger has its place at the edges."""

import ast
from pathlib import Path

import pytest

import salus.node
from salus.cli.reference import all_reasons
from salus.core.errors import Rejected
from salus.core.reasons import KernelReason
from salus.node.errors import REASONS, EdgeError, Malformed, Refused, meaning, reason_name


def test_every_reason_has_a_status_and_an_issue_code():
    known = {reason_name(reason) for reason in all_reasons()}
    assert known == set(REASONS), "the table REASONS in node/errors.py holds each reason once, and no other"


def test_every_reason_says_what_it_means():
    assert [reason_name(r) for r in all_reasons() if not meaning(r)] == []


def test_a_refused_transaction_keeps_its_name_and_facts():
    error = Refused(Rejected(KernelReason.EXPIRED, expiry=5, time=9))
    assert (error.code, error.fault.status, error.got) == ("kernel.EXPIRED", 409, "expiry 5, time 9")
    assert "Block time has passed the transaction's expiry" in error.told()


OPERATORS = ("network", "upkeep", "config.py", "opening.py")
"""Where operators' refusals are made, under src/salus/node."""


@pytest.mark.parametrize("where", OPERATORS)
def test_every_refusal_of_an_operator_says_what_to_do(where):
    kinds = {kind.__name__ for kind in EdgeError.__subclasses__()} - {"Refused"}
    place = Path(salus.node.__file__).parent / where
    silent = [
        f"{file.name}:{call.lineno}"
        for file in (place.rglob("*.py") if place.is_dir() else [place])
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in kinds
        if "todo" not in {keyword.arg for keyword in call.keywords}
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Malformed("a.b", "it broke"), "a.b: it broke"),
        (Malformed("a.b", "it broke", expected="x", got="y", todo="do z"), "a.b: it broke; expected x; got y; do z"),
    ],
)
def test_a_refusal_says_what_expected_got_and_what_to_do(error, told):
    assert str(error) == error.told() == told
