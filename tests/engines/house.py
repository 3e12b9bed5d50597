"""An owner and its followers, each with a store of its own, in one process."""

from salus.core.kernel import Kernel
from salus.engines.book import memory_book
from salus.engines.checkpoints import Cosigning
from salus.engines.embedded import Embedded, found
from salus.engines.follower import Follower, LedgerSource, join
from salus.engines.receipts import Prover
from salus.engines.store import memory_store
from tests.engines import small


def cosigners(view):
    return tuple((member, key) for key, member in small.cosigners(view).items())


def cosigning(store, name=None, book=None, witnesses=()):
    key = small.KEYS.get(name)
    return Cosigning(
        store,
        book or memory_book(store.chain().network),
        keys={small.public(key): key.sign} if key else {},
        cosigners=cosigners,
        witnesses=witnesses,
    )


class House:
    """`members[0]` owns the ledger. Nothing runs by itself but the engine."""

    def __init__(self, *members, store=None, witnesses=(), salt=b""):
        self.clock = small.Clock()
        self.kernel = Kernel(small.REGISTRY)
        store = store or memory_store()
        found(store, self.kernel, small.document(*members, salt=salt), small.START)
        self.owner = Embedded(store, self.kernel, self.clock)
        self.cosigning = cosigning(store, members[0], witnesses=witnesses)
        self.source = LedgerSource(self.owner, self.cosigning)
        self.prover = Prover(store, self.cosigning)
        self.followers = [self.follower(name) for name in members[1:]]

    def follower(self, name, store=None, book=None, source=None):
        store = store or memory_store()
        join(store, self.kernel, source or self.source, self.owner.network)
        return Follower(store, self.kernel, source or self.source, cosigning(store, name, book), self.clock)

    def send(self, message=None, member="alpha", **how):
        message = message or small.Note(b"a", b"%d" % self.clock.now)
        wire = small.sign(self.owner.network, message, time=self.owner.head().time, member=member, **how)
        return self.owner.submit(wire).result(10)

    def settle(self):
        """A second without blocks passes: everyone signs the newest block."""
        self.cosigning.quiet()
        for follower in self.followers:
            while follower.step():
                pass
            follower.step()

    def close(self):
        for follower in self.followers:
            follower.close()
        self.owner.close()
