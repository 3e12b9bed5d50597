"""Every reason of the ledger has its place at the edges."""

import pytest

from salus.cli.reference import all_reasons, meanings
from salus.core.errors import Rejected
from salus.core.reasons import KernelReason
from salus.node.errors import REASONS, Malformed, Refused, reason_name


def test_every_reason_has_a_status_and_an_issue_code():
    known = {reason_name(reason) for reason in all_reasons()}
    assert known == set(REASONS), "the table REASONS in node/errors.py holds each reason once, and no other"


def test_every_reason_says_what_it_means():
    assert [reason_name(r) for r in all_reasons() if not meanings(type(r)).get(r.name)] == []


def test_a_refused_transaction_keeps_its_name_and_facts():
    error = Refused(Rejected(KernelReason.EXPIRED, expiry=5, time=9))
    assert (error.code, error.fault.status, error.got) == ("kernel.EXPIRED", 409, "expiry 5, time 9")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Malformed("a.b", "it broke"), "a.b: it broke"),
        (Malformed("a.b", "it broke", expected="x", got="y", todo="do z"), "a.b: it broke; expected x; got y; do z"),
    ],
)
def test_a_refusal_says_what_expected_got_and_what_to_do(error, told):
    assert str(error) == error.told() == told
