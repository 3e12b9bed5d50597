"""The follower: believes no digest it did not compute, and stops at the first that differs."""

from dataclasses import replace

import msgspec
import pytest

from salus.engines.checkpoints import Fork
from salus.engines.errors import Diverged, OtherLedger, Stopped
from salus.engines.follower import Follower, LedgerSource, SourceUnavailable, join
from salus.engines.receipts import Prover
from salus.engines.store import lmdb_store, memory_store
from tests.engines import small
from tests.engines.house import House, cosigning


@pytest.fixture
def house():
    house = House("alpha", "beta", "gamma")
    yield house
    house.close()


class Changed(LedgerSource):
    """A source whose blocks are changed on the way."""

    def __init__(self, house, change):
        super().__init__(house.owner, house.cosigning)
        self.change = change

    def blocks(self, from_height, timeout):
        return (self.change(block) for block in super().blocks(from_height, timeout))


def test_a_follower_computes_the_same_and_cosigns(house):
    for _ in range(5):
        house.send()
    house.settle()
    for follower in house.followers:
        assert follower.head() == house.owner.head()
        assert follower.read().get(small.NOTES, b"a") == house.owner.read().get(small.NOTES, b"a")
        assert follower.store.block(3) == house.owner.store.block(3)
    assert len(house.cosigning.newest().cosignatures) == 3
    house.settle()
    assert house.followers[0]._cosigning.newest() == house.cosigning.newest()


def test_a_follower_catches_up_after_an_absence(house, tmp_path):
    store = lmdb_store(tmp_path / "beta")
    follower = house.follower("beta", store)
    house.send()
    follower.step()
    follower.close()
    for _ in range(30):
        house.send()
    follower = house.follower("beta", lmdb_store(tmp_path / "beta"))
    assert follower.step() == 30
    assert follower.head() == house.owner.head()
    assert follower.step() == 0
    follower.close()


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("gives", lambda block: msgspec.structs.replace(block, app_hash=bytes(32))),
        ("gives", lambda block: msgspec.structs.replace(block, transactions=())),
        ("gives", lambda block: msgspec.structs.replace(block, time=block.time + 1)),
        ("cannot follow", lambda block: msgspec.structs.replace(block, time=0)),
        ("cannot follow", lambda block: msgspec.structs.replace(block, height=block.height + 1)),
        ("dated", lambda block: msgspec.structs.replace(block, time=block.time + 10**9)),
        ("never enters", lambda block: msgspec.structs.replace(block, transactions=(b"x",))),
        ("never enters", lambda block: msgspec.structs.replace(block, transactions=(forged(block.transactions[0]),))),
        ("transactions", lambda block: msgspec.structs.replace(block, transactions=block.transactions * 10_001)),
    ],
)
def test_a_block_that_is_not_the_owners_own_stops_the_follower(house, word, change):
    store = memory_store()
    source = Changed(house, change)
    join(store, house.kernel, source, house.owner.network)
    follower = Follower(store, house.kernel, source, cosigning(store, "beta"), house.clock)
    house.send()
    with pytest.raises(Diverged, match=word):
        follower.step()
    assert follower.head().height == 0
    with pytest.raises(Stopped):
        follower.step()
    with pytest.raises(Stopped):
        follower.submit(b"").result(1)
    assert "Diverged" in follower.stopped
    follower.close()


def forged(wire):
    return wire[:-10] + bytes([wire[-10] ^ 1]) + wire[-9:]


def test_an_owner_that_rewrote_or_lost_its_past_is_noticed(house):
    house.send()
    follower = house.followers[0]
    follower.step()
    rewritten = House("alpha", "beta", "gamma")
    for word, blocks in (("ends before", 0), ("when we replayed it", 2)):
        for _ in range(blocks):
            rewritten.clock.now += 7
            rewritten.send(small.Note(b"a", b"other"))
        again = Follower(follower.store, house.kernel, rewritten.source, cosigning(follower.store, "beta"), house.clock)
        with pytest.raises(Diverged, match=word):
            again.step()
    rewritten.close()


def test_two_members_who_were_shown_different_blocks_find_out(house):
    """The owner keeps two ledgers and shows one to each: their cosignatures meet, and both statements are kept."""
    other = House("alpha", "beta", "gamma")
    house.send(small.Note(b"a", b"1"))
    other.send(small.Note(b"a", b"2"))
    beta, gamma = house.followers[0], other.followers[1]
    for follower in (beta, gamma):
        follower.step()
        follower.step()
    theirs = gamma._cosigning.book.newest()
    with pytest.raises(Fork) as fork:
        beta._cosigning.offer(theirs)
    assert fork.value.theirs.root != fork.value.ours.root
    assert fork.value.theirs.cosignatures
    assert fork.value.ours.cosignatures
    house.send()
    with pytest.raises(Fork):
        beta.step()
    with pytest.raises(Stopped):
        beta.step()
    other.close()


def test_another_network_is_not_joined(house):
    with pytest.raises(OtherLedger):
        join(memory_store(), house.kernel, house.source, bytes(32))
    other = House("alpha", salt=b"other")
    with pytest.raises(OtherLedger):
        join(house.followers[0].store, house.kernel, other.source, other.owner.network)
    other.close()


def test_a_genesis_that_gives_another_digest_is_refused(house):
    class Lying(LedgerSource):
        def founded(self):
            return super().founded() + 1

    with pytest.raises(Diverged, match="genesis"):
        join(memory_store(), house.kernel, Lying(house.owner, house.cosigning), house.owner.network)


def test_a_follower_submits_and_answers_with_what_it_computed(house):
    follower = house.followers[0]
    follower.start()
    wire = small.sign(house.owner.network, small.Note(b"b", b"x"), time=house.clock.now, member="beta")
    outcome = follower.submit(wire).result(10)
    assert outcome.applied
    assert follower.read(outcome.height).get(small.NOTES, b"b").text == b"x"
    assert not follower.submit(wire).result(10).applied
    assert follower.submit(b"nothing").result(10).height is None
    many = [small.sign(house.owner.network, small.Note(b"%d" % n, b"x"), time=house.clock.now) for n in range(20)]
    assert all(future.result(10).applied for future in [follower.submit(wire) for wire in many])


def test_who_waits_for_a_block_that_never_comes_is_told(house):
    follower = house.followers[0]
    wire = small.sign(house.owner.network, small.Note(b"b", b"x"), time=house.clock.now, member="beta")
    waiting = follower.submit(wire)
    assert house.owner.submit(small.sign(house.owner.network, small.Note(b"c", b""), time=house.clock.now)).result(10)
    assert not waiting.done()
    follower.close()
    with pytest.raises(Stopped):
        waiting.result(1)


def test_a_follower_goes_on_when_the_owner_is_back(house):
    class Away(LedgerSource):
        away = True

        def blocks(self, from_height, timeout):
            if self.away:
                raise SourceUnavailable("no answer")
            return super().blocks(from_height, timeout)

        def submit(self, wire):  # noqa: ARG002
            raise SourceUnavailable("no answer")

    source = Away(house.owner, house.cosigning)
    store = memory_store()
    join(store, house.kernel, source, house.owner.network)
    follower = Follower(store, house.kernel, source, cosigning(store, "beta"), house.clock)
    house.send()
    with pytest.raises(SourceUnavailable):
        follower.step()
    with pytest.raises(SourceUnavailable):
        follower.submit(b"").result(1)
    assert not follower.stopped
    source.away = False
    assert follower.step() == 1
    follower.close()


def test_a_change_of_the_cosigners_is_signed_by_those_before(house):
    """Beta leaves and gamma comes: old and new sign that block, and a verifier who knew the old goes on to the new."""

    def changing(state):
        count = sum(1 for _ in state.range(small.NOTES))
        members = ("alpha", "beta") if count < 2 else ("alpha", "gamma")
        return tuple((name, small.public(small.KEYS[name])) for name in members)

    first = cosigning(house.owner.store, "alpha")
    for follower in house.followers:
        follower._cosigning._cosigners = changing
        follower._source = LedgerSource(house.owner, first)
    first._cosigners = changing
    house.cosigning = first
    house.send(small.Note(b"one", b""))
    house.settle()
    trust = first.trust()
    assert (trust.number, trust.cosigners) == (1, changing(house.owner.read()))
    outcome = house.send(small.Note(b"two", b""))
    first.advance()
    (change,) = first.book.changes()
    assert not first.complete(first.book.newest())
    house.settle()
    assert first.complete(first.book.at(change.size))
    pinned = trust.advanced(first.book.at(change.size), house.prover.consistency(trust.size, change.size))
    (change,) = first.book.changes()
    gone_on = pinned.followed(change, ())
    assert gone_on.cosigners == changing(house.owner.read())
    for _ in range(2):
        house.send()
    house.settle()
    newest = first.newest()
    newer = gone_on.advanced(newest, house.prover.consistency(change.size, newest.size))
    assert newer == first.trust()
    assert Prover(house.owner.store, first).receipt(outcome.tx_id).checkpoint.size == newest.size
    first.offer_change(replace(change, root=bytes(32)))
    assert first.book.changes() == [change]
