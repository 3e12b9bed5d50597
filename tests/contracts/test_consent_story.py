"""How a patient grants and revokes, and what each attack on it meets."""

import pytest

from salus.contracts.consent.port import GRANTS, Grant, Revoke, grant_id, granted, live, round_expiry
from salus.contracts.consent.reasons import ConsentReason as Reason
from salus.contracts.membership.port import Propose, Suspend, Vote
from salus.contracts.membership.reasons import MembershipReason
from salus.core.encoding import decode, encode
from salus.core.errors import Rejected
from salus.core.reasons import KernelReason
from salus.core.transaction import Envelope, build_body, sign_body

from .ledger import DAY, START, Ledger, key, public

WEEK = 7 * DAY
EXPIRY = round_expiry(START + 30 * DAY, WEEK)
GRANT = Grant(b"\3" * 32, EXPIRY)
ID = grant_id(public("one-time"))


@pytest.fixture
def ledger():
    return Ledger.founded("hospital-a", "hospital-b", "lab-c")


def test_a_grant_holds_until_it_expires(ledger):
    assert not live(ledger.state, ID, ledger.time)
    data = ledger.send(GRANT, author="one-time")
    assert data == ID + b"\3" * 32 + EXPIRY.to_bytes(8, "big")
    assert live(ledger.state, ID, EXPIRY - 1)
    assert not live(ledger.state, ID, EXPIRY)
    assert granted(ledger.state, ID).commitment == b"\3" * 32


def test_a_revocation_goes_through_any_member_and_holds_in_its_own_block(ledger):
    ledger.send(GRANT, author="one-time")
    data = ledger.send(Revoke(), "lab-c", author="one-time")
    assert data == ID + b"\2"
    assert not live(ledger.state, ID, ledger.time)
    assert ledger.refuse(Revoke(), author="one-time") is Reason.ALREADY_REVOKED


def test_a_grant_and_its_revocation_may_share_a_block(ledger):
    results = ledger.block(
        ledger.wire(GRANT, "hospital-a", "one-time"), ledger.wire(Revoke(), "hospital-b", "one-time")
    )
    assert [result.code for result in results] == [0, 0]
    assert not live(ledger.state, ID, ledger.time)


def test_the_row_names_nobody_and_all_rows_of_a_block_have_one_size(ledger):
    ledger.block(
        ledger.wire(GRANT, "hospital-a", "one-time"),
        ledger.wire(Grant(bytes(32), EXPIRY + 52 * WEEK), "hospital-b", "another"),
    )
    rows = [ledger.rows[GRANTS.state_key(grant_id(public(name)))] for name in ("one-time", "another")]
    assert len(rows[0]) == len(rows[1])
    for row in rows:
        assert b"hospital" not in row


def test_an_expiry_is_rounded_up():
    assert round_expiry(1, WEEK) == WEEK
    assert round_expiry(WEEK, WEEK) == WEEK
    assert round_expiry(WEEK + 1, WEEK) == 2 * WEEK


def test_attack_another_member_submits_the_grant_again(ledger):
    wire = ledger.wire(GRANT, "hospital-a", "one-time")
    envelope = decode(wire, Envelope)
    body = build_body(
        GRANT,
        network=ledger.chain.network,
        submitter="hospital-b",
        submitter_key=public("hospital-b"),
        expiry=ledger.time + 1000,
        nonce=bytes(16),
        author_key=public("one-time"),
    )
    lifted = sign_body(body, key("hospital-b"), author_signature=envelope.author_signature)
    with pytest.raises(Rejected) as refusal:
        ledger.block(lifted)
    assert refusal.value.reason is KernelReason.BAD_SIGNATURE
    assert granted(ledger.state, ID) is None


def test_attack_the_authors_signature_is_offered_as_the_submitters(ledger):
    envelope = decode(ledger.wire(GRANT, "hospital-a", "one-time"), Envelope)
    swapped = encode(Envelope(envelope.body, envelope.author_signature, envelope.submitter_signature))
    with pytest.raises(Rejected) as refusal:
        ledger.block(swapped)
    assert refusal.value.reason is KernelReason.BAD_SIGNATURE


def test_attack_the_same_transaction_comes_again(ledger):
    wire = ledger.wire(GRANT, "hospital-a", "one-time")
    first, second = ledger.block(wire, wire)
    (third,) = ledger.block(wire)
    assert (first.code, second.refusal.reason, third.refusal.reason) == (
        0,
        KernelReason.REPLAYED,
        KernelReason.REPLAYED,
    )


def test_attack_a_used_key_grants_again(ledger):
    ledger.send(GRANT, author="one-time")
    assert ledger.refuse(Grant(bytes(32), EXPIRY), "hospital-b", author="one-time") is Reason.ALREADY_GRANTED
    ledger.send(Revoke(), author="one-time")
    assert ledger.refuse(GRANT, author="one-time") is Reason.ALREADY_GRANTED
    assert not live(ledger.state, ID, ledger.time)


def test_attack_a_member_revokes_what_it_did_not_grant(ledger):
    ledger.send(GRANT, author="one-time")
    assert ledger.refuse(Revoke(), "hospital-b", author="hospital-b") is Reason.NOT_GRANTED
    assert ledger.refuse(Revoke(), "hospital-b") is KernelReason.AUTHOR_EXPECTED
    assert live(ledger.state, ID, ledger.time)


def test_attack_a_grant_that_was_never_made_is_revoked(ledger):
    assert ledger.refuse(Revoke(), author="one-time") is Reason.NOT_GRANTED


@pytest.mark.parametrize(
    ("expiry", "reason"),
    [
        (EXPIRY + 1, Reason.NOT_ROUNDED),
        (START // WEEK * WEEK, Reason.ALREADY_OVER),
        (round_expiry(START + 6 * 366 * DAY, WEEK), Reason.EXPIRY_TOO_FAR),
    ],
)
def test_attack_an_expiry_that_marks_or_never_ends(ledger, expiry, reason):
    assert ledger.refuse(Grant(bytes(32), expiry), author="one-time") is reason


def test_a_grant_may_last_as_long_as_the_parameters_say(ledger):
    ledger.send(Grant(bytes(32), round_expiry(ledger.time + 5 * 366 * DAY, WEEK)), author="one-time")


def test_attack_a_stranger_and_a_suspended_member_submit_nothing(ledger):
    assert ledger.refuse(GRANT, "stranger", author="one-time") is MembershipReason.UNKNOWN_MEMBER
    data = ledger.send(Propose(Suspend("lab-c")), "hospital-a")
    ledger.send(Vote(data[:32], approve=True), "hospital-b")
    assert ledger.refuse(GRANT, "lab-c", author="one-time") is MembershipReason.NOT_ACTIVE
    assert granted(ledger.state, ID) is None


def test_attack_an_expired_transaction_and_one_of_another_network(ledger):
    assert ledger.refuse(GRANT, author="one-time", expiry=ledger.time) is KernelReason.EXPIRED
    late = ledger.time + 3 * 600_000
    assert ledger.refuse(GRANT, author="one-time", expiry=late) is KernelReason.EXPIRES_TOO_LATE
    assert ledger.refuse(GRANT, author="one-time", network=bytes(32)) is KernelReason.OTHER_NETWORK
