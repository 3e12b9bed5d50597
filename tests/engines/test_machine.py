"""The engine on disk, its twin in memory and a plain model go through the same life, restarts included."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from salus.core.kernel import Kernel
from salus.core.reasons import KernelReason
from salus.engines.embedded import Embedded, found
from salus.engines.follower import Follower, LedgerSource, join
from salus.engines.replay import replay
from salus.engines.store import lmdb_store, memory_store
from tests.engines import small
from tests.engines.house import cosigning

AUTHORS = [small.KEYS[name] for name in small.NAMES]
MINUTE = 60_000


class Ledgers(RuleBasedStateMachine):
    """Every transaction goes to both engines; the model says what must come of it."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.kernel = Kernel(small.REGISTRY)
        self.now = small.START
        self.stores = [lmdb_store(self.folder / "ledger"), memory_store()]
        for store in self.stores:
            found(store, self.kernel, small.document("alpha", "beta"), small.START)
        self.engines = [Embedded(store, self.kernel, self.clock) for store in self.stores]
        self.follower_store = memory_store()
        self.notes, self.seals, self.sent = {}, {}, []
        self.nonce = 0

    def clock(self):
        return self.now

    def send(self, wire):
        outcomes = [engine.submit(wire).result(10) for engine in self.engines]
        told = [(one.tx_id, one.height, one.index, one.code, one.data) for one in outcomes]
        assert told[0] == told[1]
        return outcomes[0]

    def sign(self, message, member, author=None, life=MINUTE):
        self.nonce += 1
        time = max(self.now, self.engines[0].head().time)
        nonce = self.nonce.to_bytes(16, "big")
        wire = small.sign(
            self.engines[0].network, message, time=time, member=member, author=author, life=life, nonce=nonce
        )
        self.sent.append((wire, time + life))
        return wire

    @rule(name=st.sampled_from([b"a", b"b", b"ab"]), text=st.binary(max_size=3), member=st.sampled_from(small.NAMES))
    def note(self, name, text, member):
        outcome = self.send(self.sign(small.Note(name, text), member))
        assert outcome.applied == (member != "gamma")
        if outcome.applied:
            self.notes[name] = small.NoteRow(text, outcome.height)
            assert outcome.data == text

    @rule(author=st.sampled_from(AUTHORS), commitment=st.binary(max_size=2))
    def seal(self, author, commitment):
        outcome = self.send(self.sign(small.Seal(commitment), "alpha", author))
        key = small.public(author)
        assert outcome.applied == (key not in self.seals)
        assert outcome.height is not None  # refused by the rules, not at the door: it stands in the log
        self.seals.setdefault(key, small.SealRow(commitment, broken=False))

    @rule(author=st.sampled_from(AUTHORS))
    def unseal(self, author):
        outcome = self.send(self.sign(small.Break(), "beta", author))
        row = self.seals.get(small.public(author))
        assert outcome.applied == (row is not None and not row.broken)
        if outcome.applied:
            self.seals[small.public(author)] = small.SealRow(row.commitment, broken=True)

    @rule(at=st.integers(0, 1000))
    def replay_one(self, at):
        if self.sent:
            wire, expiry = self.sent[at % len(self.sent)]
            height = self.engines[0].head().height
            outcome = self.send(wire)
            past = expiry <= max(self.now, self.engines[0].head().time + 1)
            if outcome.tx_id and self.engines[0].outcome(outcome.tx_id) is not None:
                assert outcome.refusal.reason is (KernelReason.EXPIRED if past else KernelReason.REPLAYED)
            assert self.engines[0].head().height == height or not past

    @rule(minutes=st.integers(1, 12))
    def wait(self, minutes):
        self.now += minutes * MINUTE

    @rule()
    def restart(self):
        self.engines[0].close()
        self.stores[0] = lmdb_store(self.folder / "ledger")
        self.engines[0] = Embedded(self.stores[0], self.kernel, self.clock)

    @rule()
    def follow(self):
        source = LedgerSource(self.engines[0], cosigning(self.stores[0]))
        join(self.follower_store, self.kernel, source, self.engines[0].network)
        follower = Follower(self.follower_store, self.kernel, source, cosigning(self.follower_store), self.clock)
        follower.step()
        assert follower.head() == self.engines[0].head()
        follower._verifiers.shutdown()

    @invariant()
    def all_agree(self):
        heads = [engine.head() for engine in self.engines]
        assert heads[0] == heads[1]
        for engine in self.engines:
            view = engine.read()
            assert dict(view.range(small.NOTES)) == self.notes
            assert dict(view.range(small.SEALS)) == self.seals

    def teardown(self):
        for store in self.stores:
            replay(store, self.kernel)
        for engine in self.engines:
            engine.close()
        shutil.rmtree(self.folder)


Ledgers.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestLedgers = Ledgers.TestCase
