"""What a member, a stranger or a former member may try on the constitution, and the refusal that meets it."""

import pytest
from msgspec import structs

from salus.contracts.membership.constitution import MAX_MEMBERS
from salus.contracts.membership.port import (
    ActivateRules,
    Admit,
    Amend,
    Certify,
    Move,
    Parameters,
    Propose,
    Reinstate,
    Remove,
    ReplaceKeys,
    Role,
    RotateKeys,
    SetParameters,
    SetValidators,
    Suspend,
    Threshold,
    Thresholds,
    ValidatorChange,
    Vote,
    key_at,
    member,
    parameters,
    validators,
)
from salus.contracts.membership.reasons import MembershipReason as Reason
from salus.core.encoding import MalformedBytes, encode
from salus.core.errors import Rejected
from salus.core.reasons import KernelReason

from .ledger import AGREEMENT, START, Ledger, candidate, genesis, possession, public, receive_key

THREE = ("hospital-a", "hospital-b", "insurer-c")


def keys(member_id, name):
    return public(name), receive_key(name), possession(member_id, name)


def change(member_id, key_name=None, power=10):
    return ValidatorChange(member_id, public(key_name or f"node-{member_id}"), power)


@pytest.fixture
def ledger():
    return Ledger.founded(*THREE)


def test_nobody_votes_twice_or_on_nothing(ledger):
    data = ledger.send(Propose(Suspend("insurer-c")))
    assert ledger.refuse(Vote(data[:32], approve=True)) is Reason.ALREADY_VOTED
    assert ledger.refuse(Vote(bytes(32), approve=True)) is Reason.NO_SUCH_PROPOSAL


def test_a_vote_of_a_member_suspended_since_does_not_count():
    ledger = Ledger.founded(*THREE, "lab-d", "lab-e")
    data = ledger.send(Propose(Suspend("hospital-a")), "lab-e")
    out = ledger.send(Propose(Suspend("lab-e")), "hospital-b")
    for voter in ("insurer-c", "lab-d"):
        ledger.send(Vote(out[:32], approve=True), voter)
    assert member(ledger.state, "lab-e").standing == "suspended"
    data = ledger.send(Vote(data[:32], approve=True), "insurer-c")
    assert data[33:39] == bytes((0, 1, 0, 0, 0, 4))
    assert ledger.refuse(Vote(data[:32], approve=True), "lab-e") is Reason.NOT_ACTIVE


def test_one_of_two_members_cannot_suspend_rob_or_remove_the_other():
    ledger = Ledger.founded("hospital-a", "hospital-b")
    for act in (Suspend("hospital-b"), Remove("hospital-b"), ReplaceKeys("hospital-b", *keys("hospital-b", "robber"))):
        assert ledger.send(Propose(act))[32] == 0
    assert key_at(ledger.state, "hospital-b").signing_key == public("hospital-b")


def test_a_proposal_that_has_become_impossible_does_not_pass(ledger):
    first = ledger.send(Propose(Suspend("insurer-c")), "hospital-a")
    second = ledger.send(Propose(Suspend("insurer-c")), "hospital-b")
    ledger.send(Vote(first[:32], approve=True), "hospital-b")
    assert ledger.refuse(Vote(second[:32], approve=True), "hospital-a") is Reason.WRONG_STANDING


def test_the_last_member_and_the_last_validator_stay():
    ledger = Ledger.founded("hospital-a")
    assert ledger.refuse(Propose(Suspend("hospital-a"))) is Reason.LAST_MEMBER
    assert ledger.refuse(Propose(Remove("hospital-a"))) is Reason.LAST_MEMBER
    ledger = Ledger.founded(*THREE, validators=(change("hospital-a"),))
    assert ledger.refuse(Propose(Suspend("hospital-a"))) is Reason.LAST_VALIDATOR
    assert ledger.send(Propose(Suspend("hospital-b")))[32] == 0
    none = SetValidators((change("hospital-a", power=0),))
    assert ledger.refuse(Propose(none)) is Reason.LAST_VALIDATOR


def test_keys_serve_once_and_must_be_held(ledger):
    for used in ("hospital-a", "hospital-b"):
        assert ledger.refuse(RotateKeys(*keys("hospital-a", used))) is Reason.KEY_USED
    ledger.send(RotateKeys(*keys("hospital-a", "second")))
    ledger.keys["hospital-a"] = "second"
    assert ledger.refuse(RotateKeys(*keys("hospital-a", "hospital-a"))) is Reason.KEY_USED
    stolen = (public("other"), receive_key("other"), possession("hospital-b", "other"))
    assert ledger.refuse(RotateKeys(*stolen)) is Reason.NO_POSSESSION
    exchanged = (public("other"), receive_key("mine"), possession("hospital-a", "other"))
    assert ledger.refuse(RotateKeys(*exchanged)) is Reason.NO_POSSESSION
    small_order = (bytes(32), receive_key("other"), bytes(64))
    assert ledger.refuse(RotateKeys(*small_order)) is Reason.NO_POSSESSION
    act = Admit(candidate("lab-d", possession=bytes(64)), AGREEMENT)
    assert ledger.refuse(Propose(act)) is Reason.NO_POSSESSION
    assert ledger.refuse(Propose(Admit(candidate("lab-d", "hospital-b"), AGREEMENT))) is Reason.KEY_USED


def test_two_proposals_of_one_key_cannot_both_pass():
    ledger = Ledger.founded("hospital-a", "hospital-b")
    first = ledger.send(Propose(Admit(candidate("lab-d", "same"), AGREEMENT)))
    second = ledger.send(Propose(Admit(candidate("lab-e", "same"), AGREEMENT)))
    ledger.send(Vote(first[:32], approve=True), "hospital-b")
    ledger.keys["lab-d"] = "same"
    assert ledger.send(Vote(second[:32], approve=True), "hospital-b")[32] == 0
    assert ledger.refuse(Vote(second[:32], approve=True), "lab-d") is Reason.KEY_USED


def test_who_accepts_another_agreement_is_not_admitted(ledger):
    assert ledger.refuse(Propose(Admit(candidate("lab-d"), bytes(32)))) is Reason.OTHER_AGREEMENT


@pytest.mark.parametrize("roles", [(Role.SITE, Role.PROVIDER), (Role.SITE, Role.SITE)])
def test_roles_are_written_in_one_way(ledger, roles):
    assert ledger.refuse(Propose(Admit(candidate("lab-d", roles=roles), AGREEMENT))) is Reason.UNORDERED
    assert ledger.refuse(Propose(Amend("hospital-b", "B", roles, "DE"))) is Reason.UNORDERED


def test_acts_name_members(ledger):
    for act in (Suspend("nobody"), Reinstate("nobody"), Remove("nobody"), Amend("nobody", "N", (Role.SITE,), "DE")):
        assert ledger.refuse(Propose(act)) is Reason.NO_SUCH_MEMBER
    assert ledger.refuse(Propose(SetValidators((change("nobody"),)))) is Reason.NO_SUCH_MEMBER
    assert ledger.refuse(Propose(Reinstate("hospital-b"))) is Reason.WRONG_STANDING


def test_validators_are_active_members_each_once_each_with_a_key_of_its_own(ledger):
    twice = SetValidators((change("hospital-a"), change("hospital-a", "other")))
    assert ledger.refuse(Propose(twice)) is Reason.UNORDERED
    shared = SetValidators((change("hospital-a", "same"), change("hospital-b", "same")))
    assert ledger.refuse(Propose(shared)) is Reason.CONSENSUS_KEY_TAKEN
    data = ledger.send(Propose(Suspend("insurer-c")))
    ledger.send(Vote(data[:32], approve=True), "hospital-b")
    suspended = SetValidators((change("hospital-a"), change("insurer-c")))
    assert ledger.refuse(Propose(suspended)) is Reason.WRONG_STANDING
    quiet = SetValidators((change("hospital-a"), change("insurer-c", power=0)))
    data = ledger.send(Propose(quiet))
    ledger.send(Vote(data[:32], approve=True), "hospital-b")
    assert dict(validators(ledger.state))["insurer-c"].power == 0


def test_rule_versions_and_heights_only_rise():
    ledger = Ledger.founded("hospital-a")
    for act in (ActivateRules(1, 100), ActivateRules(2, 0), ActivateRules(2, 1)):
        assert ledger.refuse(Propose(act)) is Reason.NOT_NEWER
    ledger.send(Propose(ActivateRules(2, 100)))
    for act in (ActivateRules(2, 200), ActivateRules(3, 100)):
        assert ledger.refuse(Propose(act)) is Reason.NOT_NEWER
    ledger.send(Propose(ActivateRules(3, 101)))


def test_a_network_is_full_at_its_limit():
    anyone = Thresholds(remove=Threshold(0, 1), admit=Threshold(0, 1))
    names = [f"member-{number:03}" for number in range(MAX_MEMBERS)]
    ledger = Ledger.founded(*names, parameters=Parameters(agreement=AGREEMENT, thresholds=anyone))
    act = Admit(candidate("one-more"), AGREEMENT)
    assert ledger.refuse(Propose(act), "member-000") is Reason.TOO_MANY_MEMBERS
    ledger.send(Propose(Remove("member-127")), "member-000")
    ledger.send(Propose(act), "member-000")


def test_a_threshold_that_one_member_reaches_is_the_networks_own_choice():
    easy = Parameters(agreement=AGREEMENT, thresholds=Thresholds(suspend=Threshold(0, 1)))
    ledger = Ledger.founded(*THREE, parameters=easy)
    assert ledger.send(Propose(Suspend("insurer-c")))[32] == 1
    assert parameters(ledger.state) == easy
    assert ledger.send(Propose(SetParameters(Parameters(agreement=AGREEMENT))))[32] == 0


@pytest.mark.parametrize(
    "message",
    [
        Move("http://plain.example"),
        Move("https://" + "x" * 300),
        Propose(Suspend("Hospital-A")),
        Propose(Suspend("hospital-a\n")),
        Propose(Suspend("a" * 33)),
        Propose(Amend("hospital-a", "", (Role.SITE,), "DE")),
        Propose(Amend("hospital-a", "A", (), "DE")),
        Propose(Amend("hospital-a", "A", (Role.SITE,), "Germany")),
        Propose(SetValidators((change("hospital-a", power=1_000_001),))),
        Propose(SetParameters(Parameters(agreement=bytes(32), anchor_tick=0))),
        Certify((bytes(31),)),
        Certify((bytes([0]) * 32, bytes([1]) * 32, bytes([2]) * 32)),
        Vote(bytes(31), approve=True),
        RotateKeys(bytes(32), bytes(1215), bytes(64)),
    ],
)
def test_what_breaks_a_limit_never_decodes(ledger, message):
    with pytest.raises(Rejected) as refusal:
        ledger.send(message)
    assert refusal.value.reason is KernelReason.MALFORMED


GOOD = genesis(*THREE)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (structs.replace(GOOD, format=2), "format 2"),
        (structs.replace(GOOD, origin=b"x"), "another ledger"),
        (structs.replace(GOOD, time=START + 1), "founded at"),
        (structs.replace(GOOD, members=GOOD.members[::-1]), "ascending"),
        (structs.replace(GOOD, members=()), "length"),
        (structs.replace(GOOD, name="Test Net"), "matching regex"),
    ],
)
def test_a_genesis_that_is_none_founds_nothing(document, told):
    ledger = Ledger()
    with pytest.raises(MalformedBytes, match=told):
        ledger.found(encode(document), START)
    assert ledger.rows == {}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (structs.replace(GOOD, members=(*GOOD.members, GOOD.members[-1])), Reason.ID_TAKEN),
        (structs.replace(GOOD, members=(candidate("a-lab", possession=bytes(64)),)), Reason.NO_POSSESSION),
        (structs.replace(GOOD, validators=(change("nobody"),)), Reason.NO_SUCH_MEMBER),
        (structs.replace(GOOD, validators=(change("hospital-a", power=0),)), Reason.LAST_VALIDATOR),
    ],
)
def test_a_genesis_admits_nobody_that_could_not_be_admitted(document, reason):
    ledger = Ledger()
    with pytest.raises(Rejected) as refusal:
        ledger.found(encode(document), START)
    assert refusal.value.reason is reason
    assert ledger.rows == {}
