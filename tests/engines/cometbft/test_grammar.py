"""The order of calls that the specification allows, with crashes between any two, in every way Hypothesis finds.

    start            clean-start | recovery
    clean-start      info init-chain consensus-heights
    recovery         info consensus-heights
    consensus-height *round finalize-block commit
    round            [prepare-proposal process-proposal] | [process-proposal]

(abci++_comet_expected_behavior.md.) CometBFT stores a block before FinalizeBlock, so after a crash it asks the same
block again; it stops for good if the answer differs. A second node, which never crashes, says what must come.
"""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from salus.core.kernel import Kernel
from salus.engines.cometbft.application import Application
from salus.engines.replay import replay
from salus.engines.store import lmdb_store, memory_store
from tests.engines import small
from tests.engines.cometbft.consensus import Consensus, nobody

DOCUMENT = small.document("alpha", "beta")


class Calls(RuleBasedStateMachine):
    """One node under test, on disk; what CometBFT itself has stored is `stored` (a block) and `answered` (its result)."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.now = small.START + 1
        self.number = 0
        self.waiting = []
        self.decided = []
        self.stored = self.answered = None
        self.applications = []
        self.peer_store = memory_store()
        self.peer = self.node(self.peer_store)
        self.peer.init_chain(DOCUMENT, small.START)
        self.store = lmdb_store(self.folder / "ledger")
        self.consensus = self.node(self.store)
        assert self.consensus.info() == (0, b"")
        self.consensus.init_chain(DOCUMENT, small.START)

    def node(self, store):
        application = Application(Kernel(small.REGISTRY), store, nobody, clock=lambda: self.now, version="test")
        self.applications.append(application)
        return Consensus(application, store)

    @rule(member=st.sampled_from(small.NAMES), text=st.binary(max_size=2), life=st.sampled_from([1, 30_000, 700_000]))
    def arrive(self, member, text, life):
        self.number += 1
        wire = small.sign(
            self.store.chain().network,
            small.Note(text, text),
            time=self.now,
            member=member,
            life=life,
            nonce=self.number.to_bytes(16, "big"),
        )
        if self.consensus.check(wire) == 0:
            self.waiting.append(wire)
        assert (member == "gamma" or life > 600_000) == (wire not in self.waiting)

    @rule(step=st.integers(1, 20_000))
    def wait(self, step):
        self.now += step

    @precondition(lambda self: self.stored is None)
    @rule()
    def round_as_proposer(self):
        chosen = self.consensus.prepare(self.now, self.waiting)
        assert self.consensus.process(self.now, chosen)
        assert self.peer.process(self.now, chosen)

    @precondition(lambda self: self.stored is None)
    @rule(take=st.integers(0, 5), lag=st.integers(0, 40_000))
    def round_of_another(self, take, lag):
        time = max(self.now - lag, self.peer_store.head().time + 1)
        assert self.consensus.process(time, self.waiting[:take]) == self.peer.process(time, self.waiting[:take])

    @precondition(lambda self: self.stored is None)
    @rule(take=st.integers(0, 5))
    def decide(self, take):
        """CometBFT stores a decided block, then asks for its execution."""
        self.now = max(self.now, self.peer_store.head().time) + 1
        chosen = self.peer.prepare(self.now, self.waiting[:take])
        self.stored = (self.now, chosen)
        self.decided.append(self.stored)
        self.expected = self.peer.decide(*self.stored).SerializeToString()

    @precondition(lambda self: self.stored is not None and self.answered is None)
    @rule()
    def finalize(self):
        self.answered = self.consensus.finalize(*self.stored).SerializeToString()
        assert self.answered == self.expected

    @precondition(lambda self: self.answered is not None)
    @rule()
    def commit(self):
        self.consensus.commit()
        self.waiting = [wire for wire in self.waiting if wire not in self.stored[1]]
        self.stored = self.answered = None
        self.waiting = [wire for wire in self.waiting if self.consensus.recheck(wire) == 0]

    @rule()
    def crash(self):
        """The process ends; the store is opened again. CometBFT shakes hands and asks again what it must."""
        self.store.close()
        self.store = lmdb_store(self.folder / "ledger")
        self.consensus = self.node(self.store)
        self.waiting = []
        height, app_hash = self.consensus.info()
        committed = len(self.decided) - (self.stored is not None)
        assert height == committed
        if height:
            assert app_hash == self.peer_store.header(height).app_hash
        else:
            self.consensus.init_chain(DOCUMENT, small.START)
        if self.answered is not None:  # the result was stored: FinalizeBlock runs again and must give it again
            assert self.consensus.finalize(*self.stored).SerializeToString() == self.answered

    @rule()
    def lose_everything(self):
        """The application's folder is lost. CometBFT has all blocks and plays them again from the genesis."""
        self.store.close()
        shutil.rmtree(self.folder / "ledger")
        self.store = lmdb_store(self.folder / "ledger")
        self.consensus = self.node(self.store)
        self.waiting = []
        assert self.consensus.info() == (0, b"")
        self.consensus.init_chain(DOCUMENT, small.START)
        for time, wires in self.decided:
            last = self.consensus.decide(time, wires)
        if self.decided:
            assert last.SerializeToString() == self.expected
        self.stored = self.answered = None

    @invariant()
    def only_whole_blocks_are_kept(self):
        ours = self.store.head()
        assert ours == self.peer_store.header(ours.height)
        assert ours.height == len(self.decided) - (self.stored is not None)

    def teardown(self):
        replay(self.store, Kernel(small.REGISTRY))
        self.store.close()
        for application in self.applications:
            application.close()
        shutil.rmtree(self.folder)


Calls.TestCase.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestCalls = Calls.TestCase
