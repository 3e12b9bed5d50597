"""Four organisations with the real CometBFT: the same digest everywhere, through deaths, returns and a liar."""

import contextlib
import os
import signal
import time

import pytest

from salus.contracts.consent.port import GRANTS, Grant, GrantStatus, Revoke, round_expiry
from salus.contracts.records.port import Anchor
from salus.engines.cometbft.binary import install
from salus.engines.cometbft.rpc import Rpc
from salus.engines.errors import EngineError
from salus.engines.replay import replay
from tests.contracts.ledger import DAY
from tests.engines.cometbft.cluster import NAMES, Cluster, now_ms

pytestmark = pytest.mark.unmeasured


def anchor():
    return Anchor(os.urandom(32), 1, deferred=False)


def wait(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def agreed(cluster, names=None):
    """Every height has one digest; return how many heights were compared."""
    hashes = cluster.hashes(names)
    assert all(len(digests) == 1 for digests in hashes.values())
    return len(hashes)


def test_four_members_keep_one_ledger_while_one_is_killed_and_returns():
    with Cluster() as cluster:
        sent = [cluster.send(anchor(), name) for name in NAMES]
        assert all(outcome.applied for outcome in sent)
        granted = cluster.send(Grant(bytes(32), round_expiry(now_ms() + DAY, 7 * DAY)), "hospital-a", "one-time")
        cluster.settled(granted.height)
        revoked = cluster.send(Revoke(), "insurer-c", "one-time")
        cluster.settled(revoked.height)
        for member in cluster.members.values():
            (row,) = [row for _, row in member.ledger.read().range(GRANTS)]
            assert row.status is GrantStatus.REVOKED

        # kill -9 of one engine under load: nobody else stops, and it comes back by itself
        victim = cluster.members["lab-d"]
        os.kill(victim.unit.process_id, signal.SIGKILL)
        others = [name for name in NAMES if name != "lab-d"]
        outcomes = [cluster.send(anchor(), name) for name in others * 3]
        assert all(outcome.applied for outcome in outcomes)
        wait(lambda: victim.unit.restarts == 1 and victim.unit.process_id)
        cluster.settled(outcomes[-1].height)
        assert cluster.send(anchor(), "lab-d").applied
        assert [event for event, _ in victim.events] == ["engine.started", "engine.restarting", "engine.started"]

        # a member stops in order, misses blocks, and catches up
        cluster.members["hospital-b"].stop()
        last = cluster.send(anchor(), "hospital-a")
        cluster.members["hospital-b"].start()
        cluster.settled(last.height)
        assert agreed(cluster) > 15
        stores = [member.ledger.store for member in cluster.members.values()]
        assert all(store.place(outcome.tx_id).height == outcome.height for store in stores for outcome in outcomes)
        replay(stores[0], cluster.members["hospital-a"].ledger._kernel)


def engine(cluster, method, **parameters):
    """Ask the first member's engine."""
    with contextlib.closing(Rpc(cluster.members["hospital-a"].home / "rpc.sock")) as rpc:
        return rpc.call(method, **parameters)


class Altered:
    """An application whose digest is another than everybody's from height 3 on."""

    def __init__(self, application):
        self.application = application
        self.close = application.close

    def answer(self, kind, request):
        told = self.application.answer(kind, request)
        if kind == "finalize_block" and request.height >= 3:
            told.app_hash = bytes(32)
        return told


class Proposing(Altered):
    """An application that proposes what nobody may accept."""

    def answer(self, kind, request):
        told = self.application.answer(kind, request)
        if kind == "prepare_proposal":
            del told.txs[:]
            told.txs.append(b"junk")
        if kind == "process_proposal":
            told.status = 1
        return told


@pytest.mark.parametrize(("alter", "fault"), [(Altered, "absent"), (Proposing, "proposal")])
def test_a_member_with_an_altered_application_is_named_and_harms_nobody(alter, fault):
    honest = [name for name in NAMES if name != "lab-d"]
    with Cluster(alter={"lab-d": alter}) as cluster:
        outcomes = [cluster.send(anchor(), name) for name in honest * 4]
        assert all(outcome.applied for outcome in outcomes)
        for name in honest:
            wait(lambda name=name: cluster.members[name].ledger.faults["lab-d", fault] > 0)
            assert cluster.members[name].told.count((f"validator.{fault}", "lab-d")) == 1
        assert agreed(cluster, honest) >= 4
        assert {
            member for name in honest for member, what in cluster.members[name].ledger.faults if what == "proposal"
        } <= {"lab-d"}


@pytest.mark.soak
def test_the_next_engine_is_served_by_the_same_application():
    """CometBFT 0.40, whose wire is a superset: built here if it is not."""
    newer = "0.40.0"
    install(os.environ, newer)
    with Cluster(version=newer) as cluster:
        outcomes = [cluster.send(anchor(), name, timeout=180) for name in NAMES * 5]
        assert all(outcome.applied for outcome in outcomes)
        cluster.members["lab-d"].stop()
        last = [cluster.send(anchor(), name, timeout=180) for name in NAMES[:3]][-1]
        cluster.members["lab-d"].start()
        cluster.settled(last.height, timeout=180)
        assert cluster.send(anchor(), "lab-d", timeout=180).applied
        assert agreed(cluster) > 8


def test_an_idle_chain_keeps_its_clock():
    """One validator, no transactions: an empty block at most every ten seconds, and the digest rests.

    Of what it is told not to keep, the engine lets go; the ledger has it all.
    """
    with Cluster(NAMES[:1], retain=lambda head: head.height - 1) as cluster:
        first = cluster.send(anchor(), "hospital-a")
        for _ in range(3):
            outcome = cluster.send(anchor(), "hospital-a")
        ledger = cluster.members["hospital-a"].ledger
        kept = engine(cluster, "status")["sync_info"]
        assert 1 < int(kept["earliest_block_height"]) < int(kept["latest_block_height"])
        with pytest.raises(EngineError):
            engine(cluster, "block", height="1")
        assert ledger.store.block(first.height).transactions
        wait(lambda: ledger.head().height > outcome.height + 1, 15)
        assert now_ms() - ledger.head().time < 15_000
        assert ledger.head().app_hash == ledger.store.header(outcome.height).app_hash
        assert ledger.reachable
