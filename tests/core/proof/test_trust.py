"""Attack stories on what a verifier believes: each ends in a named refusal."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.contracts.membership.constitution import MAX_MEMBERS
from salus.core import receipt as receipts
from salus.core.proof import ed25519, trust
from salus.core.proof.checkpoint import MAX_COSIGNERS, MAX_MEMBER, CosignerChange, cosigners_in
from salus.core.proof.errors import BadSignature, MalformedProof, ProofMismatch, Unproven, Untrusted, Unwitnessed
from salus.core.proof.receipt import Receipt
from tests.core.proof.consortium import Consortium, Party


def four() -> tuple[Consortium, trust.Trust]:
    net = Consortium(4)
    net.grow(3)
    believed = net.trust()
    net.grow(4)
    return net, believed


@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7)])
def test_more_than_two_thirds_are_needed(n: int, k: int):
    assert trust.quorum(n) == k


def test_a_receipt_above_the_pin_holds_by_the_cosigners():
    net, believed = four()
    for index in range(net.log.size):
        believed.accept_receipt(Receipt.decode(net.receipt(index).encode()))


def test_one_signature_too_few():
    net, believed = four()
    with pytest.raises(Untrusted, match="signed by 2 of 4 cosigners; 3 are needed"):
        believed.accept_receipt(net.receipt(0, net.checkpoint(signers=2)))


def test_strangers_do_not_count():
    net, believed = four()
    strangers = Consortium(7)
    strangers.parties = [Party(f"stranger-{number}") for number in range(7)]
    strangers.add(*net.entries)
    with pytest.raises(Untrusted, match="signed by 0 of 4"):
        believed.accept_receipt(strangers.receipt(0))


def test_a_cosigner_counts_once():
    net, _ = four()
    one = net.checkpoint(signers=1)
    twice = replace(one, cosignatures=one.cosignatures * 3)
    with pytest.raises(MalformedProof):
        Receipt.decode(net.receipt(0, twice).encode())


def test_a_signature_of_a_known_key_that_does_not_hold_refuses_all():
    net, believed = four()
    full = net.checkpoint(signers=4)
    kid, signature = full.cosignatures[0]
    spoilt = replace(full, cosignatures=((kid, signature[:-1] + b"\0"), *full.cosignatures[1:]))
    with pytest.raises(BadSignature):
        believed.accept_receipt(net.receipt(0, spoilt))


def test_cosignatures_do_not_move_to_another_size_time_or_network():
    net, believed = four()
    honest = net.checkpoint()
    receipt = net.receipt(0, honest)
    for forged in (replace(honest, issued=honest.issued - 1), replace(honest, root=b"x" * 32)):
        with pytest.raises(Unproven):
            believed.accept_receipt(replace(receipt, checkpoint=forged))
    with pytest.raises(BadSignature):
        believed.accept_checkpoint(replace(honest, size=honest.size + 1))
    with pytest.raises(Untrusted, match="another network"):
        believed.accept_receipt(replace(receipt, checkpoint=replace(honest, network=b"m" * 32)))


def test_an_old_founder_can_forge_nothing_below_the_pin():
    """Keys of the first days leak: a history of their own, signed by all founders, is worth nothing below the pin."""
    net, _ = four()
    believed = net.trust()
    forged = Consortium(4)
    forged.grow(2, salt=b"forged")
    receipt = forged.receipt(0, forged.checkpoint(signers=4))
    with pytest.raises(Untrusted, match="older than the pinned size"):
        believed.accept_receipt(receipt)
    with pytest.raises(ProofMismatch):
        believed.accept_receipt(receipt, net.consistency(forged.log.size))
    other = replace(receipt, checkpoint=replace(receipt.checkpoint, network=b"m" * 32))
    with pytest.raises(ProofMismatch):
        believed.accept_receipt(other, net.consistency(forged.log.size))


def test_an_old_receipt_is_extended_once():
    net = Consortium(4)
    net.grow(2)
    old = net.receipt(1)
    net.grow(3)
    believed = net.trust()
    believed.accept_receipt(old, net.consistency(old.size))
    foreign = replace(old, checkpoint=replace(old.checkpoint, network=b"m" * 32))
    with pytest.raises(Untrusted, match="another network"):
        believed.accept_receipt(foreign, net.consistency(old.size))
    carried = Receipt.decode(receipts.extend(net.read, old, net.checkpoint()).encode())
    believed.accept_receipt(carried)
    net.grow(2)
    again = receipts.extend(net.read, carried, net.checkpoint())
    assert again.size == old.size
    believed.accept_receipt(again)
    with pytest.raises(ProofMismatch):
        believed.accept_receipt(replace(carried, entry=net.entries[0]))
    with pytest.raises(ValueError):
        carried.cose_receipts()


def test_two_roots_for_one_size():
    net, _ = four()
    believed = net.trust()
    fork = Consortium(4)
    fork.grow(7, salt=b"fork")
    assert fork.log.size == believed.size
    with pytest.raises(ProofMismatch, match="two roots for one size"):
        believed.accept_receipt(fork.receipt(0, fork.checkpoint(signers=4)))


def test_a_fork_signed_by_enough_is_not_advanced_to():
    net, believed = four()
    fork = Consortium(4)
    fork.grow(9, salt=b"fork")
    with pytest.raises(ProofMismatch):
        believed.advanced(fork.checkpoint(), fork.consistency(believed.size))
    forward = believed.advanced(net.checkpoint(), net.consistency(believed.size))
    assert (forward.size, forward.root) == (net.log.size, net.log.root())
    with pytest.raises(Untrusted):
        forward.advanced(fork.checkpoint(signers=0), [])


def test_a_member_id_has_as_many_characters_as_the_limit_says():
    longest = ("m" * MAX_MEMBER, bytes(32))
    assert cosigners_in([longest]) == (longest,)
    with pytest.raises(MalformedProof):
        cosigners_in([("m" * (MAX_MEMBER + 1), bytes(32))])


def test_a_ledger_of_one_needs_a_witness():
    alone = Consortium(1)
    alone.grow(2)
    believed = alone.trust()
    with pytest.raises(Unwitnessed):
        believed.accept_receipt(alone.receipt(0))
    alone.grow(1)
    with pytest.raises(Unwitnessed, match="signed by 0 witnesses; 1 are needed"):
        believed.accept_receipt(alone.receipt(0))


def test_a_ledger_of_one_rewritten_shows_at_the_witness():
    seen = Consortium(1, outside=1)
    seen.grow(2)
    believed = seen.trust(needed=1)
    seen.grow(1)
    believed.accept_receipt(seen.receipt(0))
    rewritten = Consortium(1, outside=1)
    rewritten.grow(4, salt=b"rewritten")
    with pytest.raises(Unwitnessed):
        believed.accept_receipt(rewritten.receipt(0, rewritten.checkpoint(witnesses=0)))
    with pytest.raises(ProofMismatch):
        believed.advanced(rewritten.checkpoint(), rewritten.consistency(believed.size))


def test_as_many_witnesses_as_the_file_asks_for():
    net = Consortium(4, outside=3)
    believed = net.trust(needed=2)
    net.grow(1)
    believed.accept_receipt(net.receipt(0, net.checkpoint(witnesses=2)))
    with pytest.raises(Unwitnessed, match="signed by 1 witnesses; 2 are needed"):
        believed.accept_receipt(net.receipt(0, net.checkpoint(witnesses=1)))


def test_sets_are_followed_forward_one_at_a_time():
    net, believed = four()
    successors = [*net.parties[1:], Party("newcomer")]
    change = net.change(2, successors)
    with pytest.raises(Untrusted, match="move the pin there first"):
        believed.followed(change, [])
    pinned = believed.advanced(net.checkpoint(), net.consistency(believed.size))
    followed = pinned.followed(type(change).decode(change.encode()), [])
    assert followed.number == 2
    assert "newcomer" in dict(followed.cosigners)
    for refused in (
        net.change(2, successors, signers=2),
        net.change(3, successors),
        net.change(1, successors),
        replace(change, network=b"m" * 32),
    ):
        with pytest.raises(Untrusted):
            pinned.followed(refused, [])
    with pytest.raises(BadSignature):
        pinned.followed(replace(change, cosigners=(Party("thief").listed,)), [])
    with pytest.raises(ProofMismatch):
        replace(pinned, root=b"x" * 32).followed(change, [])
    with pytest.raises(Untrusted):
        followed.followed(change, [])


def test_a_change_is_followed_from_a_pin_beyond_it():
    net, _ = four()
    change = net.change(2, net.parties[1:])
    net.grow(2)
    believed = net.trust()
    assert believed.followed(change, net.consistency(change.size)).number == 2
    with pytest.raises(Unproven):
        believed.followed(change, [])


def test_the_set_before_signs_no_more_after_the_change():
    net, believed = four()
    pinned = believed.advanced(net.checkpoint(), net.consistency(believed.size))
    successors = [Party(f"successor-{number}") for number in range(4)]
    followed = pinned.followed(net.change(2, successors), [])
    net.grow(1)
    with pytest.raises(Untrusted):
        followed.accept_receipt(net.receipt(0))
    net.parties = successors
    followed.accept_receipt(net.receipt(0))


def test_a_trust_file_comes_back_as_it_went():
    net = Consortium(4, outside=2)
    net.grow(1)
    believed = net.trust(needed=1)
    assert trust.Trust.from_json(believed.to_json().encode()) == believed
    started = Consortium(1).trust()
    assert trust.Trust.from_json(started.to_json().encode()) == started


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"size": 2', '"size": 2.0'),
        ('"size": 2', '"size": true'),
        ('"size": 2', '"size": -1'),
        ('"size": 2', '"size": 0'),
        ('"size": 2', '"size": 2, "size": 2'),
        ('"size": 2', '"size": 2, "more": 1'),
        ('"size": 2', '"size": NaN'),
        ('"size": 2', '"size": ' + "9" * 5000),
        ('"cosigner_set": 1', '"cosigner_set": 0'),
        ('"witnesses_needed": 1', '"witnesses_needed": 3'),
        ('"member-1"', '"member-0"'),
        ('"member-1"', '"member-9"'),
        ('"member": "member-1"', '"name": "member-1"'),
        ('"member": "member-1"', '"member": 7'),
        ("salus-trust/1", "salus-trust/2"),
        ('"cosigners": [', '"cosigners": [' + "{}," * 129),
        ("6e", "6E"),
    ],
)
def test_a_trust_file_is_strict(old: str, new: str):
    net = Consortium(4, outside=2)
    net.grow(1)
    text = net.trust(needed=1).to_json()
    assert old in text
    with pytest.raises(MalformedProof):
        trust.Trust.from_json(text.replace(old, new, 1).encode())


def test_as_many_as_may_be_members_and_witnesses_can_sign():
    assert MAX_COSIGNERS == MAX_MEMBERS
    net = Consortium(MAX_MEMBERS, outside=MAX_COSIGNERS)
    net.grow(2)
    believed = net.trust(needed=MAX_COSIGNERS)
    assert trust.Trust.from_json(believed.to_json().encode()) == believed
    net.grow(1)
    believed.accept_receipt(Receipt.decode(net.receipt(0, net.checkpoint(signers=MAX_MEMBERS)).encode()))
    change = CosignerChange.decode(net.change(2, net.parties, signers=MAX_MEMBERS).encode())
    assert net.trust(needed=1).followed(change, []).number == 2


def test_who_keeps_the_ledger_is_no_witness_and_no_key_is_weak():
    net = Consortium(1, outside=1)
    believed = net.trust(needed=1)
    with pytest.raises(MalformedProof, match="no witness"):
        replace(believed, witnesses=(("other-name", net.parties[0].key),))
    weak = bytes([1]) + bytes(31)
    assert not ed25519.is_strict_key(weak)
    for wrong in (
        {"cosigners": (("weak", weak),)},
        {"cosigners": ()},
        {"cosigners": tuple(Party(f"m{number:03}").listed for number in range(129))},
        {"network": b"short"},
        {"witnesses": (Party("b").listed, Party("a").listed)},
        {"witnesses": (("short-key", bytes(31)),)},
    ):
        with pytest.raises(MalformedProof):
            replace(believed, **wrong)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_trust_file_or_refused(text: bytes):
    with pytest.raises(MalformedProof):
        trust.Trust.from_json(text)


def test_a_trust_file_has_a_size():
    with pytest.raises(MalformedProof):
        trust.Trust.from_json(b" " * (trust.MAX_FILE + 1))
    with pytest.raises(MalformedProof):
        trust.Trust.from_json(b"[" * 50_000)


def test_a_document_may_be_as_long_as_its_limit():
    assert trust.parse_json(b"[1,2]", 5) == [1, 2]
    with pytest.raises(MalformedProof, match="over 4 bytes"):
        trust.parse_json(b"[1,2]", 4)
