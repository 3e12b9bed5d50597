"""How a network is founded, grows, and governs itself."""

import pytest

from salus.contracts.membership.port import (
    KEYS,
    ActivateRules,
    Admit,
    Amend,
    Certify,
    Move,
    Parameters,
    ProposalStatus,
    Propose,
    Reinstate,
    Remove,
    ReplaceKeys,
    Role,
    RotateKeys,
    SetParameters,
    SetValidators,
    Standing,
    Suspend,
    Threshold,
    Thresholds,
    ValidatorChange,
    Vote,
    active,
    cosigners,
    expired,
    key_at,
    keys_key,
    member,
    member_of_key,
    parameters,
    proposals,
    tls_keys,
    validators,
)
from salus.contracts.membership.reasons import MembershipReason as Reason
from salus.contracts.records.port import Anchor
from salus.core.errors import InvariantBroken
from salus.core.rules import UnsupportedRules

from .ledger import AGREEMENT, DAY, Ledger, candidate, possession, public, receive_key

FOUR = ("hospital-a", "hospital-b", "insurer-c", "lab-d")


def pass_act(ledger, act, *voters):
    """Propose an act by the first voter and vote for it by the others. Returns the last result data."""
    data = ledger.send(Propose(act), voters[0])
    for voter in voters[1:]:
        data = ledger.send(Vote(data[:32], approve=True), voter)
    return data


def new_keys(member_id, name):
    return public(name), receive_key(name), possession(member_id, name)


def test_a_founder_alone_decides_alone():
    ledger = Ledger.founded("hospital-a")
    data = ledger.send(Propose(Admit(candidate("hospital-b"), AGREEMENT)))
    assert data[32] == 1
    assert data[33:] == bytes((0, 1, 0, 0, 0, 1)) + b"admit:hospital-b"
    assert [id_ for id_, _ in active(ledger.state)] == ["hospital-a", "hospital-b"]
    assert [c.member for c in cosigners(ledger.state)] == ["hospital-a", "hospital-b"]


def test_the_founders_stand_with_their_keys_and_parameters():
    ledger = Ledger.founded(*FOUR)
    row = member(ledger.state, "lab-d")
    assert (row.standing, row.serial, row.since, row.roles) == (Standing.ACTIVE, 1, 0, (Role.PROVIDER,))
    assert key_at(ledger.state, "lab-d").signing_key == public("lab-d")
    assert member_of_key(ledger.state, public("lab-d")) == "lab-d"
    assert member_of_key(ledger.state, public("nobody")) is None
    assert member(ledger.state, "nobody") is None
    assert parameters(ledger.state).anchor_tick == 500
    assert [id_ for id_, _ in active(ledger.state, Role.PAYER)] == []


def test_four_members_admit_a_fifth_when_more_than_two_thirds_want_it():
    ledger = Ledger.founded(*FOUR)
    data = ledger.send(Propose(Admit(candidate("site-e"), AGREEMENT)), "hospital-a")
    assert data[32] == 0
    data = ledger.send(Vote(data[:32], approve=True), "hospital-b")
    assert data[32] == 0
    assert member(ledger.state, "site-e") is None
    data = ledger.send(Vote(data[:32], approve=True), "lab-d")
    assert data[32:] == bytes((1, 0, 3, 0, 0, 0, 4)) + b"admit:site-e"
    assert member(ledger.state, "site-e").since == ledger.chain.height
    assert key_at(ledger.state, "site-e", ledger.chain.height - 1) is None
    ledger.send(Move("https://new.example"), "site-e")
    assert member(ledger.state, "site-e").endpoint == "https://new.example"


def test_a_proposal_fails_as_soon_as_it_cannot_pass():
    ledger = Ledger.founded(*FOUR)
    data = ledger.send(Propose(Remove("lab-d")), "hospital-a")
    ledger.send(Vote(data[:32], approve=False), "lab-d")
    data = ledger.send(Vote(data[:32], approve=False), "hospital-b")
    assert data[32] == 2
    assert ledger.refuse(Vote(data[:32], approve=True), "insurer-c") is Reason.PROPOSAL_CLOSED
    assert [row.status for _, row in proposals(ledger.state)] == [ProposalStatus.FAILED]


def test_a_proposal_runs_out_without_anybody_sweeping_it():
    ledger = Ledger.founded(*FOUR)
    data = ledger.send(Propose(Suspend("lab-d")), "hospital-a")
    ((_, row),) = proposals(ledger.state)
    assert not expired(row, row.closes)
    assert expired(row, row.closes + 1)
    ledger.pass_time(14 * DAY - 1000)
    assert ledger.send(Vote(data[:32], approve=True), "hospital-b")[32] == 0  # at `closes` it still counts
    assert ledger.refuse(Vote(data[:32], approve=True), "insurer-c") is Reason.PROPOSAL_CLOSED


def test_a_suspended_member_is_silent_until_reinstated():
    ledger = Ledger.founded(*FOUR)
    pass_act(ledger, Suspend("lab-d"), "hospital-a", "hospital-b", "insurer-c")
    assert member(ledger.state, "lab-d").standing is Standing.SUSPENDED
    assert [c.member for c in cosigners(ledger.state)] == ["hospital-a", "hospital-b", "insurer-c"]
    assert ledger.refuse(Anchor(bytes(32), 1, deferred=False), "lab-d") is Reason.NOT_ACTIVE
    pass_act(ledger, Reinstate("lab-d"), "hospital-a", "hospital-b")
    ledger.send(Anchor(bytes(32), 1, deferred=False), "lab-d")
    assert len(cosigners(ledger.state)) == 4


def test_a_removed_member_does_not_come_back_under_its_id():
    ledger = Ledger.founded(*FOUR)
    pass_act(ledger, Remove("lab-d"), "hospital-a", "hospital-b", "insurer-c")
    assert ledger.refuse(Anchor(bytes(32), 1, deferred=False), "lab-d") is Reason.NOT_ACTIVE
    for act in (Reinstate("lab-d"), Suspend("lab-d"), Remove("lab-d"), Amend("lab-d", "L", (Role.SITE,), "DE")):
        assert ledger.refuse(Propose(act)) is Reason.WRONG_STANDING
    assert ledger.refuse(Propose(ReplaceKeys("lab-d", *new_keys("lab-d", "fresh")))) is Reason.WRONG_STANDING
    assert ledger.refuse(Propose(Admit(candidate("lab-d", "fresh"), AGREEMENT))) is Reason.ID_TAKEN
    assert key_at(ledger.state, "lab-d").signing_key == public("lab-d")


def test_a_member_rotates_its_keys_and_the_history_stays():
    ledger = Ledger.founded("hospital-a", "hospital-b")
    data = ledger.send(RotateKeys(*new_keys("hospital-a", "second")), "hospital-a")
    rotated = ledger.chain.height
    assert data == (2).to_bytes(4, "big") + public("second") + b"hospital-a"
    assert ledger.refuse(Move("")) is Reason.NOT_CURRENT_KEY
    ledger.keys["hospital-a"] = "second"
    ledger.send(Move(""))
    assert key_at(ledger.state, "hospital-a", rotated - 1).signing_key == public("hospital-a")
    assert key_at(ledger.state, "hospital-a", rotated).signing_key == public("second")
    assert key_at(ledger.state, "hospital-b", rotated).signing_key == public("hospital-b")
    assert key_at(ledger.state, "nobody") is None
    assert [c.signing_key for c in cosigners(ledger.state)] == [public("second"), public("hospital-b")]


def test_a_rotation_holds_for_the_next_transaction_of_the_same_block():
    ledger = Ledger.founded("hospital-a")
    rotate = ledger.wire(RotateKeys(*new_keys("hospital-a", "second")), "hospital-a")
    late = ledger.wire(Move(""), "hospital-a")
    ledger.keys["hospital-a"] = "second"
    first, second, third = ledger.block(rotate, late, ledger.wire(Move(""), "hospital-a"))
    assert (first.code, second.refusal.reason, third.code) == (0, Reason.NOT_CURRENT_KEY, 0)


def test_the_others_replace_keys_that_were_lost():
    ledger = Ledger.founded(*FOUR)
    pass_act(ledger, ReplaceKeys("lab-d", *new_keys("lab-d", "found")), "hospital-a", "hospital-b", "insurer-c")
    assert ledger.refuse(Move(""), "lab-d") is Reason.NOT_CURRENT_KEY
    ledger.keys["lab-d"] = "found"
    ledger.send(Move(""), "lab-d")


def test_keys_that_are_used_or_not_held_are_not_even_proposed():
    ledger = Ledger.founded(*FOUR)
    used = ReplaceKeys("lab-d", *new_keys("lab-d", "hospital-a"))
    unheld = ReplaceKeys("lab-d", public("found"), receive_key("found"), possession("hospital-b", "found"))
    assert ledger.refuse(Propose(used)) is Reason.KEY_USED
    assert ledger.refuse(Propose(unheld)) is Reason.NO_POSSESSION


def test_a_member_is_amended():
    ledger = Ledger.founded("hospital-a")
    ledger.send(Propose(Amend("hospital-a", "Hospital A SE", (Role.PAYER, Role.PROVIDER), "FR-75")))
    row = member(ledger.state, "hospital-a")
    assert (row.name, row.roles, row.jurisdiction) == ("Hospital A SE", (Role.PAYER, Role.PROVIDER), "FR-75")
    assert [id_ for id_, _ in active(ledger.state, Role.PAYER)] == ["hospital-a"]


def test_validators_cosign_once_there_are_any():
    changes = tuple(ValidatorChange(id_, public(f"node-{id_}"), 10) for id_ in FOUR[:2])
    ledger = Ledger.founded(*FOUR)
    data = pass_act(ledger, SetValidators(changes), *FOUR[:3])
    assert data[39:] == b"set-validators"
    assert [c.member for c in cosigners(ledger.state)] == list(FOUR[:2])
    pass_act(ledger, Suspend("hospital-b"), "hospital-a", "insurer-c", "lab-d")
    assert dict(validators(ledger.state))["hospital-b"].power == 0
    assert [c.member for c in cosigners(ledger.state)] == ["hospital-a"]
    pass_act(ledger, Reinstate("hospital-b"), "insurer-c", "lab-d")
    assert dict(validators(ledger.state))["hospital-b"].power == 0


def test_a_consortium_is_founded_with_its_validators():
    changes = tuple(ValidatorChange(id_, public(f"node-{id_}"), 10) for id_ in FOUR)
    ledger = Ledger.founded(*FOUR, validators=changes)
    assert [id_ for id_, _ in validators(ledger.state)] == list(FOUR)


def test_a_member_ties_its_node_to_tls_keys_and_changes_them_with_an_overlap():
    ledger = Ledger.founded("hospital-a", "hospital-b")
    old, new = sorted((public("tls-old"), public("tls-new")))
    assert tls_keys(ledger.state, "hospital-a") == ()
    for keys in ((old,), (old, new), (new,), ()):
        assert ledger.send(Certify(keys)) == b"".join(keys) + b"hospital-a"
        assert tls_keys(ledger.state, "hospital-a") == keys
    ledger.send(Certify((old,)), "hospital-b")
    assert tls_keys(ledger.state, "hospital-a") == ()
    for keys in ((new, old), (old, old)):
        assert ledger.refuse(Certify(keys)) is Reason.UNORDERED
    assert tls_keys(ledger.state, "hospital-a") == tls_keys(ledger.state, "stranger") == ()


def test_parameters_change_by_ballot_and_stand_in_the_block_leaf():
    ledger = Ledger.founded("hospital-a")
    before = ledger.leaves[-1][-32:]
    strict = Thresholds(set_parameters=Threshold(1, 1))
    ledger.send(Propose(SetParameters(Parameters(agreement=AGREEMENT, anchor_tick=1000, thresholds=strict))))
    assert parameters(ledger.state).anchor_tick == 1000
    assert ledger.leaves[-1][-32:] != before


def test_a_rule_version_holds_from_its_height_and_a_program_without_it_stops():
    ledger = Ledger.founded("hospital-a")
    ledger.send(Propose(ActivateRules(version=2, height=3)))
    ledger.send(Move(""))
    before = ledger.chain
    with pytest.raises(UnsupportedRules):
        ledger.block()
    assert ledger.chain == before


@pytest.mark.parametrize(
    ("share", "electorate", "needed"),
    [((2, 3), 1, 1), ((2, 3), 3, 3), ((2, 3), 4, 3), ((2, 3), 7, 5), ((1, 2), 2, 2), ((1, 2), 4, 3), ((1, 1), 5, 5)],
)
def test_a_threshold_is_more_than_a_share_or_all(share, electorate, needed):
    assert Threshold(*share).needed(electorate) == needed


def test_a_ledger_without_its_own_rows_is_a_bug():
    ledger = Ledger()
    assert cosigners(ledger.state) == ()
    with pytest.raises(InvariantBroken, match="without parameters"):
        parameters(ledger.state)
    founded = Ledger.founded("hospital-a")
    del founded.rows[KEYS.state_key(keys_key("hospital-a", 1))]
    with pytest.raises(InvariantBroken, match="hospital-a has no keys 1"):
        key_at(founded.state, "hospital-a")
