"""Which blocks are checkpoints, who signs them, and what can be proven then."""

import time as wall
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.checkpoint import checkpoint_of, cosign
from salus.core.log import Frontier
from salus.core.proof.errors import Untrusted, Unwitnessed
from salus.core.proof.merkle import EMPTY_ROOT, verify_consistency
from salus.core.proof.receipt import Receipt, StateProof
from salus.engines.book import CheckpointBook, lmdb_book, memory_book
from salus.engines.checkpoints import Cosigner, Fork, cosigners_of
from salus.engines.errors import NotKept, OtherLedger
from salus.engines.keyvalues import MemoryKeyValues
from tests.engines import small
from tests.engines.house import House, cosigning


@pytest.fixture
def house():
    house = House("alpha", "beta", "gamma")
    yield house
    house.close()


@pytest.fixture
def alone():
    house = House("alpha")
    yield house
    house.close()


def sizes(cosigning):
    return [checkpoint.size for checkpoint in cosigning.book.since(0)]


def test_the_first_block_of_a_second_and_the_last_before_a_pause_are_checkpoints(alone):
    expected = [1]  # the genesis
    start = alone.clock.now // 1000 * 1000 + 1000
    for at, due in ((0, True), (100, False), (900, False), (1000, True), (1500, True), (2700, True), (2800, False)):
        # 1500 is the last before 1200 ms of nothing
        alone.clock.now = start + at
        alone.send()
        if due:
            expected.append(alone.owner.head().log_size)
    alone.cosigning.advance()
    assert sizes(alone.cosigning) == expected
    alone.cosigning.quiet()
    assert sizes(alone.cosigning) == [*expected, alone.owner.head().log_size]
    alone.cosigning.quiet()
    assert len(sizes(alone.cosigning)) == len(expected) + 1


def test_who_goes_through_the_blocks_later_signs_the_same(house):
    for pause in (1, 300, 2000, 5, 5, 999, 4000):
        house.clock.now += pause
        house.send()
        house.cosigning.advance()
    house.settle()
    late = cosigning(house.owner.store, "beta")
    late.quiet()
    assert sizes(late) == sizes(house.cosigning)


def test_a_receipt_needs_enough_cosigners(house):
    outcome = house.send()
    house.cosigning.quiet()
    with pytest.raises(NotKept, match="covers"):
        house.prover.receipt(outcome.tx_id, timeout=0)
    house.followers[0].step()
    house.followers[0].step()
    with pytest.raises(NotKept):  # two of three: three are needed
        house.prover.receipt(outcome.tx_id, timeout=0)
    house.settle()
    receipt = house.prover.receipt(outcome.tx_id)
    trust = replace(house.cosigning.trust(), size=0, root=EMPTY_ROOT)
    trust.accept_receipt(Receipt.decode(receipt.encode()))
    assert receipt.leaf().tx_id == outcome.tx_id
    assert receipt.leaf().data == outcome.data
    with pytest.raises(Untrusted):
        replace(trust, network=bytes(32)).accept_receipt(receipt)
    with pytest.raises(NotKept, match="holds no transaction"):
        house.prover.receipt(bytes(32))


def test_a_ledger_of_one_is_unwitnessed_until_a_witness_signs():
    witness = Ed25519PrivateKey.generate()
    house = House("alpha", witnesses=(("regulator", small.public(witness)),))
    outcome = house.send()
    house.cosigning.quiet()
    trust = replace(house.cosigning.trust(), size=0, root=EMPTY_ROOT)
    with pytest.raises(Unwitnessed):
        trust.accept_receipt(house.prover.receipt(outcome.tx_id))
    newest = house.cosigning.newest()
    signed = newest.signed([(small.public(witness), cosign(newest, small.public(witness), witness.sign))])
    house.cosigning.offer(signed)
    trust.accept_receipt(house.prover.receipt(outcome.tx_id))
    house.close()


def test_a_receipt_is_carried_to_a_newer_checkpoint(house):
    outcome = house.send()
    house.settle()
    old = house.prover.receipt(outcome.tx_id)
    assert house.prover.extend(old) == old
    for _ in range(5):
        house.send()
    house.settle()
    new = house.prover.extend(old)
    assert new.checkpoint.size > old.checkpoint.size
    house.cosigning.trust().accept_receipt(new)
    path = house.prover.consistency(old.checkpoint.size, new.checkpoint.size)
    verify_consistency(old.checkpoint.size, new.checkpoint.size, path, old.checkpoint.root, new.checkpoint.root)
    house.cosigning.trust().accept_receipt(old, path)
    with pytest.raises(NotKept):
        house.prover.consistency(0, 10_000)


def test_rows_and_their_absence_are_proven_at_every_height(house):
    author = small.KEYS["gamma"]
    house.send(small.Note(b"x", b"1"))
    house.send(small.Seal(b"c"), author=author)
    house.send(small.Break(), author=author)
    house.settle()
    key = small.public(author)
    found = [house.prover.row(small.SEALS, key, height) for height in range(4)]
    assert [row.value is None for row in found] == [True, True, False, False]
    for height, row in enumerate(found):
        proof = StateProof.decode(row.proof.encode())
        block = proof.check(row.value)
        assert block.height == height
        house.cosigning.trust().accept_receipt(proof.receipt)
    assert found[2].value != found[3].value
    assert house.prover.row(small.SEALS, key).value == found[3].value


def test_signatures_of_nobody_known_or_that_do_not_hold_are_left_aside(house):
    house.send()
    house.cosigning.quiet()
    ours = house.cosigning.book.newest()
    stranger = Ed25519PrivateKey.generate()
    beta = small.public(small.KEYS["beta"])
    forged = ours.signed(
        [(small.public(stranger), cosign(ours, small.public(stranger), stranger.sign)), (beta, bytes(64))]
    )
    assert house.cosigning.offer(forged) == ours
    with pytest.raises(OtherLedger):
        house.cosigning.offer(replace(ours, network=bytes(32)))
    with pytest.raises(NotKept):
        house.cosigning.offer(replace(ours, size=ours.size + 10))
    with pytest.raises(NotKept, match="nobody known here"):
        house.cosigning.offer(replace(forged, root=bytes(32)))
    assert house.cosigning.fork is None


def test_what_is_known_is_not_written_again(house):
    house.send()
    house.cosigning.quiet()
    changed = []
    end = house.cosigning.subscribe(lambda: changed.append(1))
    known = house.cosigning.book.newest()
    assert house.cosigning.offer(known) == known
    assert not changed
    house.followers[0].step()
    assert changed
    changed.clear()
    assert house.cosigning.offer(house.cosigning.book.newest()) == house.cosigning.book.newest()
    assert not changed
    end()


def test_two_roots_for_one_size_stop_everything_and_both_are_kept():
    values = MemoryKeyValues()
    house = House("alpha", "beta")
    house.cosigning = cosigning(house.owner.store, "alpha", CheckpointBook(values, house.owner.network))
    house.send()
    house.cosigning.quiet()
    ours = house.cosigning.book.newest()
    theirs = replace(ours, root=bytes(32), cosignatures=())
    beta = small.public(small.KEYS["beta"])
    theirs = theirs.signed([(beta, cosign(theirs, beta, small.KEYS["beta"].sign))])
    with pytest.raises(Fork) as fork:
        house.cosigning.offer(theirs)
    assert fork.value.theirs == theirs
    assert fork.value.ours.root == ours.root
    for again in (house.cosigning, cosigning(house.owner.store, "alpha", CheckpointBook(values, house.owner.network))):
        with pytest.raises(Fork):
            again.offer(ours)
        house.send()
        with pytest.raises(Fork):
            again.quiet()
        assert again.fork.theirs == theirs
    house.close()


def test_the_cosigner_works_beside_the_ledger(alone):
    cosigner = Cosigner(alone.owner, alone.cosigning, quiet=0.05)
    outcome = alone.send()
    receipt = alone.prover.receipt(outcome.tx_id)
    assert receipt.checkpoint.size > outcome.index
    for _ in range(3):
        outcome = alone.send()
    assert alone.prover.receipt(outcome.tx_id).checkpoint.size == alone.owner.head().log_size
    cosigner.close()
    assert not cosigner.failed
    alone.send()
    wall.sleep(0.1)
    assert alone.cosigning.book.newest().size < alone.owner.head().log_size


def test_a_book_belongs_to_one_ledger_and_keeps_what_it_got(tmp_path):
    book = lmdb_book(tmp_path / "book", bytes(32))
    assert (book.height, book.newest(), book.changes(), book.evidence()) == (-1, None, [], [])
    log, _ = Frontier().append([bytes(32)])
    checkpoint = checkpoint_of(bytes(32), log, 5000)
    book.proceed(3, checkpoint, None)
    book.put_evidence(checkpoint, replace(checkpoint, root=bytes(32)))
    book.close()
    with pytest.raises(OtherLedger):
        lmdb_book(tmp_path / "book", bytes([1]) * 32)
    book = lmdb_book(tmp_path / "book", bytes(32))
    assert book.height == 3
    assert book.newest() == book.at(1) == checkpoint
    assert book.newest(1) is None
    assert book.evidence() == [(checkpoint, replace(checkpoint, root=bytes(32)))]
    book.close()


def test_without_members_nobody_cosigns(alone):
    assert cosigners_of(alone.owner.read()) == ()
    outsider = cosigning(alone.owner.store, "gamma", memory_book(alone.owner.network))
    outsider.quiet()
    assert outsider.book.newest().cosignatures == ()
    with pytest.raises(NotKept):
        outsider.trust()


def test_a_cosigner_that_meets_a_fork_ends_and_says_so(alone):
    alone.send()
    alone.cosigning.quiet()
    ours = alone.cosigning.book.newest()
    theirs = replace(ours, root=bytes(32), cosignatures=())
    alpha = small.public(small.KEYS["alpha"])
    with pytest.raises(Fork):
        alone.cosigning.offer(theirs.signed([(alpha, cosign(theirs, alpha, small.KEYS["alpha"].sign))]))
    cosigner = Cosigner(alone.owner, alone.cosigning, quiet=0.01)
    alone.send()
    cosigner._thread.join(60)
    assert cosigner.failed
    cosigner.close()
