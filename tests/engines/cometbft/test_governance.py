"""A consortium whose members change: keys exchanged and lost, votes withdrawn, members leaving; proofs hold through all."""

import os
import time

import pytest

from salus.contracts.membership.port import (
    Propose,
    Reinstate,
    Remove,
    ReplaceKeys,
    RotateKeys,
    SetValidators,
    Suspend,
    ValidatorChange,
    Vote,
    validators,
)
from salus.contracts.records.port import Anchor
from salus.core.proof.errors import Untrusted
from salus.engines.cometbft.home import key_files, made_keys
from salus.engines.errors import NotKept
from salus.engines.receipts import Prover
from tests.contracts.ledger import key, possession, public, receive_key
from tests.engines.cometbft.cluster import NAMES, Cluster

pytestmark = pytest.mark.unmeasured

A, B, C, D = NAMES


def anchor():
    return Anchor(os.urandom(32), 1, deferred=False)


def decide(cluster, act, by=(A, B, C)):
    proposal = cluster.send(Propose(act), by[0])
    assert proposal.applied, proposal
    cluster.settled(proposal.height, by)
    last = proposal
    for name in by[1:]:
        told = cluster.send(Vote(proposal.tx_id, approve=True), name)
        last = told if told.applied else last  # what is decided takes no more ballots
    cluster.settled(last.height, by)
    return last


def gather(cluster):
    """Hand every signature to everybody, as the nodes do, until the head is cosigned; return one member's book."""
    members = cluster.running()
    deadline = time.monotonic() + 180
    while True:
        for one in members:
            one.cosigning.quiet()
            for other in members:
                for change in one.cosigning.book.changes():
                    other.cosigning.offer_change(change)
                for checkpoint in one.cosigning.book.since(0):
                    try:
                        other.cosigning.offer(checkpoint)
                    except NotKept:
                        continue  # a moment ahead
        sizes = {one.cosigning.newest().size for one in members if one.cosigning.newest()}
        if sizes == {members[0].ledger.head().log_size}:
            return members[0].cosigning
        assert time.monotonic() < deadline, sizes
        time.sleep(0.1)


def followed(trust, member):
    """Return an old trust, followed through every change of the cosigners to the newest checkpoint."""
    prover = Prover(member.ledger.store, member.cosigning)
    for change in member.cosigning.book.changes():
        if change.number > trust.number:
            trust = trust.advanced(member.cosigning.book.at(change.size), prover.consistency(trust.size, change.size))
            trust = trust.followed(change, prover.consistency(change.size, trust.size))
    newest = member.cosigning.newest()
    return trust.advanced(newest, prover.consistency(trust.size, newest.size))


def hold(cluster, name, key_name):
    """Let a member sign with a new key from now on, beside the old."""
    cluster.members[name].cosigning.hold(public(key_name), key(key_name).sign)


def powers(cluster, name=A):
    return {member: row.power for member, row in validators(cluster.members[name].ledger.read())}


def test_proofs_hold_while_keys_change_votes_go_and_members_leave():
    with Cluster() as cluster:
        first = cluster.send(anchor(), A)
        cluster.settled(first.height)
        old = gather(cluster).trust()
        early = Prover(cluster.members[A].ledger.store, cluster.members[A].cosigning).receipt(first.tx_id)

        # a member exchanges its own keys; a second has lost its own, and the others give it new ones
        hold(cluster, B, "hospital-b-2")
        rotate = RotateKeys(public("hospital-b-2"), receive_key("hospital-b-2"), possession(B, "hospital-b-2"))
        cluster.settled(cluster.send(rotate, B).height)
        cluster.key_names[B] = "hospital-b-2"
        hold(cluster, C, "insurer-c-2")
        lost = ReplaceKeys(C, public("insurer-c-2"), receive_key("insurer-c-2"), possession(C, "insurer-c-2"))
        decide(cluster, lost, (A, B, D))
        assert not cluster.send(anchor(), C).applied  # under the old key
        cluster.key_names[C] = "insurer-c-2"
        assert cluster.send(anchor(), C).applied

        # an engine's key is lost: the node stops, makes a new one, and is voted back in with it
        victim = cluster.members[D]
        victim.stop()
        for path in key_files(victim.home):
            path.unlink()
        new = made_keys(victim.home).consensus_key
        decide(cluster, SetValidators((ValidatorChange(D, new, 10),)))
        victim.start()
        after = cluster.send(anchor(), D)
        cluster.settled(after.height)

        # a member is suspended, returns without a vote, gets one; another leaves for good
        decide(cluster, Suspend(C), (A, B, D))
        assert powers(cluster) == {A: 10, B: 10, C: 0, D: 10}
        refused = cluster.send(anchor(), C)
        assert not refused.applied
        decide(cluster, Reinstate(C), (A, B, D))
        assert powers(cluster)[C] == 0
        vote = next(row.consensus_key for name, row in validators(cluster.members[A].ledger.read()) if name == C)
        decide(cluster, SetValidators((ValidatorChange(C, vote, 10),)), (A, B, D))
        decide(cluster, Remove(D), (A, B, C))
        last = cluster.send(anchor(), B)
        assert last.applied
        cluster.settled(last.height)
        assert powers(cluster) == {A: 10, B: 10, C: 10, D: 0}

        gather(cluster)
        member = cluster.members[A]
        prover = Prover(member.ledger.store, member.cosigning)
        receipt = prover.receipt(last.tx_id)
        with pytest.raises(Untrusted):
            old.accept_receipt(receipt)  # the set of then has not signed it
        now = followed(old, member)
        assert [name for name, _ in now.cosigners] == [A, B, C]
        assert now == member.cosigning.trust()
        now.accept_receipt(receipt)
        now.accept_receipt(early, prover.consistency(early.checkpoint.size, now.size))
        hashes = cluster.hashes([A, B, C])
        assert all(len(digests) == 1 for digests in hashes.values())
