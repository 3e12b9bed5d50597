"""Cosignatures between the members of a consortium: how soon a checkpoint is complete, and who is away."""

import threading
from contextlib import ExitStack

import pytest

from salus.core.kernel import Block, Kernel
from salus.engines.checkpoints import Cosigner
from salus.engines.embedded import found
from salus.engines.errors import NotKept
from salus.engines.follower import SourceUnavailable
from salus.engines.ledger import StoredLedger
from salus.engines.store import memory_store
from salus.node.exchange.cosigning import ASK_SECONDS, Cosignatures
from tests.engines import small
from tests.engines.house import cosigning

NAMES = ("alpha", "beta", "gamma")
QUIET = 0.05
SOON = 0.5 * ASK_SECONDS
LONG = 120.0


class Node:
    """A member with a replica that is given its blocks."""

    def __init__(self, name, world):
        self.name, self.world, self.away, self.answers = name, world, False, True
        self.kernel = Kernel(small.REGISTRY)
        store = memory_store()
        found(store, self.kernel, small.document(*NAMES), small.START)
        self.ledger = StoredLedger(store)
        self.cosigning = cosigning(store, name)
        self.cosigner = Cosigner(self.ledger, self.cosigning, quiet=QUIET)
        self.exchange = Cosignatures(self.ledger, self.cosigning, name, world.__getitem__)

    def block(self, time, *wires):
        store = self.ledger.store
        with store.committed() as before:
            block = Block(before.chain.height + 1, time, tuple(map(self.kernel.decode, wires)))
            store.commit(self.kernel.transition(before, block))
        self.ledger.announce(store.head())

    def close(self):
        self.exchange.close()
        self.cosigner.close()

    # What the others ask of it.

    def _here(self):
        if self.away:
            raise SourceUnavailable("away")

    def offer(self, checkpoint):
        self._here()
        self.cosigning.offer(checkpoint)

    def offer_change(self, change):
        self._here()
        self.cosigning.offer_change(change)

    def checkpoints(self, from_size):
        self._here()
        if not self.answers:
            raise SourceUnavailable("who asks is not answered")
        return list(self.cosigning.book.since(from_size))


@pytest.fixture
def world():
    made = {}
    with ExitStack() as ends:
        for name in NAMES:
            made[name] = Node(name, made)
            ends.callback(made[name].close)
        yield made


def note(world, number):
    network = world["alpha"].ledger.network
    return small.sign(network, small.Note(b"a", b"%d" % number), time=small.START, nonce=number.to_bytes(16, "big"))


def heads(world):
    return world["alpha"].ledger.head().log_size - 1


def test_the_last_checkpoint_before_a_rest_is_handed_over_when_it_is_signed(world):
    for node in world.values():
        node.cosigning.covering(0, LONG)
    for node in world.values():
        node.answers = False  # so that it is handed over or does not come
    for number in (
        1,
        2,
    ):  # the second is of the same second of block time: only the rest after it makes it a checkpoint
        wire = note(world, number)
        for node in world.values():
            node.block(small.START + 1000 + number, wire)
    for node in world.values():
        checkpoint = node.cosigning.covering(heads(world), LONG)
        assert len(checkpoint.cosignatures) == 3


def test_who_was_away_asks_for_what_it_missed(world):
    for node in world.values():
        node.cosigning.covering(0, LONG)
    world["gamma"].away = True
    wire = note(world, 1)
    for name in ("alpha", "beta"):
        world[name].block(small.START + 1000, wire)
    with pytest.raises(NotKept):  # three cosigners, three signatures
        world["alpha"].cosigning.covering(heads(world), SOON)
    world["gamma"].away = False
    world["gamma"].block(small.START + 1000, wire)
    for node in world.values():
        assert len(node.cosigning.covering(heads(world), LONG).cosignatures) == 3


def test_nothing_runs_on_after_the_end(world):
    world["alpha"].close()
    assert not [thread for thread in threading.enumerate() if thread is world["alpha"].exchange._thread]
