"""The consortium's ledger as its node sees it: the port `Ledger` over a mempool and blocks that the test decides."""

import threading

import pytest

from salus.core.errors import InvariantBroken
from salus.core.kernel import Kernel
from salus.core.reasons import KernelReason
from salus.engines.cometbft.ledger import KNOWN_ALREADY, SILENCE_MS, CometLedger
from salus.engines.cometbft.rpc import EngineAway, EngineSilent
from salus.engines.embedded import found
from salus.engines.errors import Busy, Stopped
from salus.engines.store import memory_store
from tests.engines import small
from tests.engines.cometbft.consensus import Consensus, nobody

MINUTE = 60_000


class House:
    """The twin in memory of the engine: a mempool that asks CheckTx, and a proposer that is told when."""

    def __init__(self):
        self.now = small.START
        self.store = memory_store()
        found(self.store, Kernel(small.REGISTRY), small.document("alpha"), small.START)
        self.ledger = CometLedger(self.store, Kernel(small.REGISTRY), lambda: self.now, self)
        self.application = self.ledger.application("test", 1, nobody)
        self.consensus = Consensus(self.application, self.store)
        self.waiting, self.arrived = [], threading.Condition()
        self.trouble = None
        self.tried = False

    def broadcast(self, wires):
        if isinstance(self.trouble, Exception):
            with self.arrived:
                self.tried = True
                self.arrived.notify_all()
            raise self.trouble
        with self.arrived:
            if self.trouble is None:
                self.waiting.extend(wire for wire in wires if self.consensus.check(wire) == 0)
            self.arrived.notify_all()
        return [self.trouble or ""] * len(wires)

    def close(self):
        self.waiting = None

    def sign(self, text=b"x", **how):
        return small.sign(self.ledger.network, small.Note(b"a", text), time=self.now, **how)

    def block(self, count=0):
        """Wait until `count` transactions wait, and decide a block of what waits."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.waiting) >= count, 60)
            self.now += 1
            chosen = self.consensus.prepare(self.now, self.waiting)
            self.consensus.decide(self.now, chosen)
            self.waiting = [wire for wire in self.waiting if self.consensus.recheck(wire) == 0]


@pytest.fixture
def house():
    house = House()
    yield house
    house.ledger.close()
    house.application.close()
    assert house.waiting is None


def test_the_outcome_is_what_the_block_made_of_it(house):
    heard = []
    house.ledger.subscribe(heard.append)
    futures = [house.ledger.submit(house.sign(b"%d" % n)) for n in range(3)]
    house.block(3)
    told = sorted((future.result(5) for future in futures), key=lambda outcome: outcome.index)
    assert [outcome.height for outcome in told] == [1, 1, 1]
    assert [outcome.index for outcome in told] == [1, 2, 3]
    assert all(outcome.applied and house.ledger.outcome(outcome.tx_id) == outcome for outcome in told)
    assert heard == [house.ledger.head()]


def test_the_door_refuses_as_the_embedded_engine_does(house):
    forged = bytearray(house.sign())
    forged[-20] ^= 1
    assert house.ledger.submit(bytes(forged)).result(5).refusal.reason is KernelReason.BAD_SIGNATURE
    assert house.ledger.submit(house.sign(member="gamma")).result(5).refusal.reason is small.SmallReason.NO_MEMBER
    assert house.ledger.submit(b"junk").result(5).refusal.reason is KernelReason.MALFORMED
    wire = house.sign()
    first, second = house.ledger.submit(wire), house.ledger.submit(wire)
    house.block(1)
    assert sorted([first.result(5).code, second.result(5).code]) == [0, KernelReason.REPLAYED.code]
    assert house.waiting == []


def test_a_refusal_in_the_block_keeps_its_facts(house):
    author = small.KEYS["beta"]
    sign = lambda: small.sign(house.ledger.network, small.Seal(b""), time=house.now, author=author)  # noqa: E731
    futures = [house.ledger.submit(sign()) for _ in range(2)]
    house.block(2)
    outcomes = sorted((future.result(5) for future in futures), key=lambda outcome: outcome.code)
    assert outcomes[0].applied
    assert outcomes[1].refusal.reason is small.SmallReason.SEALED
    assert outcomes[1].height == 1


def test_what_no_block_takes_any_more_is_answered_expired(house):
    house.trouble = KNOWN_ALREADY  # the mempool has it from elsewhere and will drop it
    future = house.ledger.submit(house.sign(life=MINUTE))
    house.now += MINUTE - 10
    house.block()
    assert not future.done()
    house.now += 2000
    house.block()
    assert future.result(5).refusal.reason is KernelReason.EXPIRED
    assert future.result(5).height is None


def test_an_engine_that_is_away_or_full_makes_its_sender_try_again(house):
    house.trouble = EngineAway("the engine does not answer")
    with pytest.raises(Busy, match="does not answer"):
        house.ledger.submit(house.sign()).result(5)
    house.trouble = "mempool is full"
    with pytest.raises(Busy, match="full"):
        house.ledger.submit(house.sign()).result(5)
    house.trouble = None
    again = house.ledger.submit(house.sign())
    house.block(1)
    assert again.result(5).applied


def test_an_engine_that_fell_silent_may_have_it_all_the_same(house):
    wire = house.sign()
    house.trouble = EngineSilent("no answer")
    future = house.ledger.submit(wire)
    with house.arrived:
        assert house.arrived.wait_for(lambda: house.tried, 60)
    house.consensus.decide(small.START + 1, [wire])
    assert future.result(5).applied


def test_what_waited_is_handed_in_again_to_the_engine_s_next_life(house):
    future = house.ledger.submit(house.sign())
    with house.arrived:
        assert house.arrived.wait_for(lambda: house.waiting, 60)
        house.waiting.clear()  # the engine dies, and its mempool with it
    house.application.close()
    house.application = house.ledger.application("test", 1, nobody)
    house.consensus = Consensus(house.application, house.store)
    house.block()
    assert not future.done()
    house.block(1)
    assert future.result(5).applied


def test_who_hears_no_block_does_not_claim_to_know_the_head(house):
    assert not house.ledger.reachable
    house.block()
    assert house.ledger.reachable
    house.now += SILENCE_MS + 1
    assert not house.ledger.reachable
    house.block()
    house.ledger.reachable = False
    assert not house.ledger.reachable


def test_a_halted_ledger_says_why(house):
    future = house.ledger.submit(house.sign())
    with house.arrived:
        assert house.arrived.wait_for(lambda: house.waiting, 60)
    house.ledger.halt(InvariantBroken("planted"))
    with pytest.raises(Stopped, match="planted"):
        future.result(5)
    with pytest.raises(Stopped, match="planted"):
        house.ledger.submit(house.sign()).result(5)
    assert "planted" in house.ledger.stopped
