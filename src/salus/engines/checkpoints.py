"""Cosigning: which blocks are checkpoints, what this node signs of them, and gathering what others signed.

Checkpoint blocks are the same for every cosigner, because block time alone decides: the first block with transactions
of each new second, and a block that none followed for a second. To these come the genesis and every block that
changes the cosigners: both the old and the new sign its checkpoint, and the old sign who follows them, so that a
verifier who knows the old can go on to the new.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from salus.contracts.membership.port import cosigners as membership_cosigners
from salus.core.checkpoint import Sign, checkpoint_of, cosign, gathered, trimmed
from salus.core.log import root_at
from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.core.proof.cose import kid_of
from salus.core.proof.ed25519 import verify
from salus.core.proof.trust import Trust, quorum
from salus.core.tables import View
from salus.engines.book import CheckpointBook
from salus.engines.errors import Diverged, NotKept, OtherLedger
from salus.engines.ports import Ledger
from salus.engines.store import Header, LedgerStore

Keys = tuple[tuple[str, bytes], ...]
"""(name, Ed25519 key), by rising name."""
CosignersOf = Callable[[View], Keys]
SECOND_MS: Final = 1000


def cosigners_of(view: View) -> Keys:
    """Return the cosigners that the membership contract names."""
    return tuple((cosigner.member, cosigner.signing_key) for cosigner in membership_cosigners(view))


class Fork(Diverged):
    """Two signed roots for one size of one log. Holds both statements: show them to the other members."""

    def __init__(self, ours: Checkpoint, theirs: Checkpoint) -> None:
        self.ours = ours
        self.theirs = theirs
        super().__init__(f"two roots at log size {theirs.size}: {ours.root.hex()} here, {theirs.root.hex()} there")


class Cosigning:
    """Signs and gathers checkpoints of a ledger.

    `keys` are those that this node holds or held, each with what signs by it; none for a node that only gathers.
    After a fork was seen it signs and takes nothing more, and `fork` holds the evidence, across restarts.
    """

    def __init__(
        self,
        store: LedgerStore,
        book: CheckpointBook,
        *,
        keys: Mapping[bytes, Sign],
        cosigners: CosignersOf = cosigners_of,
        witnesses: Keys = (),
    ) -> None:
        self._store = store
        self._book = book
        self._keys = keys
        self._cosigners = cosigners
        self._witnesses = witnesses
        self._network = store.chain().network
        self._gathered = threading.Condition(threading.RLock())
        self._callbacks: tuple[Callable[[], None], ...] = ()
        self._newest: Checkpoint | None = None  # as `newest` found it, or None to look again
        nothing = Checkpoint(self._network, 0, b"", 0)
        self._trimmed = (nothing, nothing)
        evidence = book.evidence()
        self.fork: Fork | None = Fork(*evidence[0]) if evidence else None

    def hold(self, key: bytes, sign: Sign) -> None:
        """Sign with one more key from now on: the new one of a rotation, while the old still signs the succession."""
        with self._gathered:
            self._keys = {**self._keys, key: sign}

    def adopt(self, founders: Keys, changes: Sequence[CosignerChange]) -> None:
        """Begin at the height of the snapshot that the store was made from, with the changes of the cosigners until then.

        They are followed forward from the founders, each signed by enough of the set before, and must end with the set
        that the snapshot's state names. Raises Diverged.
        """
        keys = founders
        for number, change in enumerate(changes, 2):
            signed = sum(
                verify(key, change.to_sign(key), signature) for key, signature in _offered(change, keys).items()
            )
            if change.network != self._network or change.number != number or signed < quorum(len(keys)):
                raise Diverged(f"change {number} of the cosigners is not signed by enough of those before")
            keys = change.cosigners
        if keys != self.cosigners(self._store.base):
            raise Diverged("the changes of the cosigners do not lead to those that the state names")
        with self._gathered:
            self._book.proceed(self._store.base, None, None)
            for change in changes:
                self._book.put_change(change)

    @property
    def book(self) -> CheckpointBook:
        """What was signed and gathered."""
        return self._book

    def cosigners(self, height: int) -> Keys:
        """Return whose signatures count on a checkpoint of `height`."""
        return self._cosigners(self._store.read(height))

    # Signing ----------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Go through the blocks that came since the last call and sign those that are checkpoints. Raises Fork."""
        with self._gathered:
            head = self._store.head().height
            for height in range(self._book.height + 1, head + 1):
                self._pass(self._store.header(height))

    def quiet(self) -> None:
        """Sign the newest block: none followed it for a second. Raises Fork."""
        with self._gathered:
            self.advance()
            self._checkpoint(self._grown(self._store.head()))

    def _pass(self, header: Header) -> None:
        """Go through one block: it may be a checkpoint, and may show that the one before it was."""
        self._check_fork()
        if header.height == 0:
            self._book.proceed(0, self._signed(header), None)
            self._changed()
            return
        before = self._grown(self._store.header(header.height - 1))
        change = self._change(before, header)
        if not header.transactions and change is None:
            self._book.proceed(header.height, None, None)
            return
        if header.time - before.time >= SECOND_MS:
            self._checkpoint(before)
        due = change is not None or header.time // SECOND_MS > before.time // SECOND_MS
        self._book.proceed(header.height, self._signed(header) if due else None, change)
        self._changed()

    def _grown(self, header: Header) -> Header:
        """Return the header of the newest block up to this one that grew the log: an empty block is no checkpoint."""
        return header if header.transactions else self._store.header(self._store.height_of_size(header.log_size))

    def _checkpoint(self, header: Header) -> None:
        known, signed = self._book.at(header.log_size), self._signed(header)
        if signed != known:
            self._check_fork()
            self._book.put(signed)
            self._changed()

    def _signed(self, header: Header) -> Checkpoint:
        """Return the checkpoint of a block with what is known to be signed, our own signature included if we cosign."""
        checkpoint = checkpoint_of(self._network, header.frontier, header.time)
        known = self._book.at(checkpoint.size)
        if known is not None:
            checkpoint = replace(checkpoint, cosignatures=known.cosignatures)
        missing = self._ours(self._signers(header.height)) - {
            key for key in self._keys if kid_of(key) in dict(checkpoint.cosignatures)
        }
        return checkpoint.signed([(key, cosign(checkpoint, key, self._keys[key])) for key in missing])

    def _ours(self, cosigners: Keys) -> set[bytes]:
        return {key for _, key in cosigners if key in self._keys}

    def _signers(self, height: int) -> Keys:
        """Return who signs the checkpoint of a block: its cosigners, and those before if the block changes them."""
        return tuple({pair: None for one in self._sets(height) for pair in one})

    def _sets(self, height: int) -> tuple[Keys, ...]:
        new = self.cosigners(height)
        old = self.cosigners(height - 1) if height > self._store.base else new
        return (new,) if old == new else (old, new)

    def _change(self, before: Header, header: Header) -> CosignerChange | None:
        """Return the statement that a block's change of the cosigners calls for, signed if we are of those before."""
        old, new = self.cosigners(before.height), self.cosigners(header.height)
        if old == new:
            return None
        number = len(self._book.changes()) + 2  # the first set, the genesis's, is number 1
        change = CosignerChange(self._network, number, header.log_size, header.frontier.root(), new)
        return change.signed([(key, cosign(change, key, self._keys[key])) for key in self._ours(old)])

    def _check_fork(self) -> None:
        if self.fork is not None:
            raise self.fork

    # Gathering --------------------------------------------------------------------------------------------------

    def offer(self, theirs: Checkpoint) -> Checkpoint:
        """Take the cosignatures of a checkpoint that another member or a witness signed; return what is known now.

        Signatures that do not hold, or of nobody known here, are left aside. Raises OtherLedger; NotKept if the log
        here is shorter; and Fork, from then on for everything, if a cosigner signed another root for this size.
        """
        with self._gathered:
            self._check_fork()
            if theirs.network != self._network:
                raise OtherLedger("a checkpoint of another ledger")
            head = self._store.head()
            if theirs.size > head.log_size:
                raise NotKept(f"the log here has {head.log_size} leaves, not yet {theirs.size}")
            self._compare(theirs, head)
            height = self._store.height_of_size(theirs.size)
            header = self._store.header(height)
            known, ours = self._book.at(theirs.size), self._signed(header)
            if theirs.issued == ours.issued:
                held = dict(ours.cosignatures)
                offered = _offered(theirs, (*self._signers(height), *self._witnesses))
                fresh = {key: signature for key, signature in offered.items() if held.get(kid_of(key)) != signature}
                ours = gathered(ours, fresh)
            if ours != known:  # members hand each other what both have: no durable write for that
                self._book.put(ours)
                self._changed()
            return ours

    def _compare(self, theirs: Checkpoint, head: Header) -> None:
        """Raise Fork if somebody who counts signed another root than the log here has at that size."""
        with self._store.nodes() as nodes:
            root = root_at(nodes.node, theirs.size)
        if root == theirs.root:
            return
        known = {*self.cosigners(head.height), *self._past(), *self._witnesses}
        signers = _offered(theirs, tuple(known))
        if any(verify(key, theirs.to_sign(key), signature) for key, signature in signers.items()):
            ours = Checkpoint(theirs.network, theirs.size, root, theirs.issued)
            ours = ours.signed(
                [(key, cosign(ours, key, self._keys[key])) for key in self._ours(self.cosigners(head.height))]
            )
            self._book.put_evidence(ours, theirs)
            self.fork = Fork(ours, theirs)
            raise self.fork
        raise NotKept(f"a checkpoint of another log, size {theirs.size}, that nobody known here signed")

    def _past(self) -> Keys:
        return tuple(pair for change in self._book.changes() for pair in change.cosigners)

    def offer_change(self, theirs: CosignerChange) -> None:
        """Take another cosigner's signature of a change. What differs from our own statement is left aside."""
        with self._gathered:
            self._check_fork()
            for ours in self._book.changes():
                if replace(ours, cosignatures=()) != replace(theirs, cosignatures=()):
                    continue
                before = self.cosigners(self._store.height_of_size(ours.size) - 1)
                held = [
                    (key, signature)
                    for key, signature in _offered(theirs, before).items()
                    if verify(key, theirs.to_sign(key), signature)
                ]
                self._book.put_change(ours.signed(held))

    # Asking -----------------------------------------------------------------------------------------------------

    def complete(self, checkpoint: Checkpoint) -> bool:
        """Return whether enough cosigners have signed, of the old and of the new where they change."""
        sets = self._sets(self._store.height_of_size(checkpoint.size))
        return all(len(_offered(checkpoint, keys)) >= quorum(len(keys)) for keys in sets)

    def complete_change(self, change: CosignerChange) -> bool:
        """Return whether enough of those before a change have signed it."""
        before = self.cosigners(self._store.height_of_size(change.size) - 1)
        return len(_offered(change, before)) >= quorum(len(before))

    def trimmed(self, checkpoint: Checkpoint) -> Checkpoint:
        """Return a complete checkpoint with no more cosignatures than a verifier asks for."""
        known, kept = self._trimmed
        if known is not checkpoint:  # receipts are asked for in numbers, under one newest checkpoint
            kept = self._trim(checkpoint)
            self._trimmed = (checkpoint, kept)
        return kept

    def _trim(self, checkpoint: Checkpoint) -> Checkpoint:
        sets = self._sets(self._store.height_of_size(checkpoint.size))
        if len(sets) > 1:
            return checkpoint
        return trimmed(checkpoint, tuple(key for _, key in sets[0]), quorum(len(sets[0])))

    def newest(self) -> Checkpoint | None:
        """Return the newest complete checkpoint, or None."""
        with self._gathered:
            if self._newest is None:
                checkpoint = self._book.newest()
                while checkpoint is not None and not self.complete(checkpoint):
                    checkpoint = self._book.newest(checkpoint.size)
                self._newest = checkpoint
            return self._newest

    def _changed(self) -> None:
        """Tell who waits for a checkpoint, or hands ours on, that the book has changed."""
        self._newest = None
        self._gathered.notify_all()
        for callback in self._callbacks:
            callback()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after every change of the book, under its lock; be quick. Returns what ends it."""
        self._callbacks = (*self._callbacks, callback)

        def end() -> None:
            self._callbacks = tuple(kept for kept in self._callbacks if kept is not callback)

        return end

    def covering(self, index: int, timeout: float) -> Checkpoint:
        """Wait until a complete checkpoint covers the leaf `index`, at most `timeout` seconds, and return the newest.

        Raises NotKept if none does by then.
        """

        def found() -> Checkpoint | None:
            newest = self.newest()
            return newest if newest is not None and newest.size > index else None

        with self._gathered:
            checkpoint = self._gathered.wait_for(found, timeout)
        if checkpoint is None:
            raise NotKept(f"no checkpoint that enough cosigners signed covers leaf {index} yet")
        return checkpoint

    def trust(self, witnesses_needed: int = 0) -> Trust:
        """Return the trust that a verifier of today may start from, pinned to the newest complete checkpoint.

        Give it to others over a channel they trust. Raises NotKept before the first complete checkpoint.
        """
        newest = self.newest()
        if newest is None:
            raise NotKept("no checkpoint is complete yet")
        height = self._store.height_of_size(newest.size)
        number = 1 + sum(change.size <= newest.size for change in self._book.changes())
        return Trust(
            self._network,
            newest.size,
            newest.root,
            number,
            self.cosigners(height),
            self._witnesses,
            witnesses_needed,
        )


class Cosigner:
    """Keeps a `Cosigning` at work beside a ledger, on a thread of its own."""

    def __init__(self, ledger: Ledger, cosigning: Cosigning, *, quiet: float = SECOND_MS / 1000) -> None:
        self._cosigning = cosigning
        self._quiet = quiet
        self._news = threading.Condition()
        self._pending = True
        self._ended = False
        self.failed = False
        """Whether signing ended by itself: a fork (see `Cosigning.fork`), or a disk that fails."""
        self._end = ledger.subscribe(self._hear)
        self._thread = threading.Thread(target=self._run, name="ledger-cosigner", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop signing."""
        self._end()
        with self._news:
            self._ended = True
            self._news.notify()
        self._thread.join()

    def _hear(self, _: Header) -> None:
        with self._news:
            self._pending = True
            self._news.notify()

    def _run(self) -> None:
        waiting = False  # whether the newest block may yet turn out to be one that none followed
        try:
            while True:
                with self._news:
                    heard = self._news.wait_for(lambda: self._pending or self._ended, self._quiet if waiting else None)
                    self._pending = False
                    if self._ended:
                        return
                if heard:
                    self._cosigning.advance()
                    waiting = True
                else:
                    self._cosigning.quiet()
                    waiting = False
        except Fork:
            pass  # kept as `Cosigning.fork`; who signs on would help to hide it
        finally:
            self.failed = not self._ended


def _offered(statement: Checkpoint | CosignerChange, keys: Keys) -> dict[bytes, bytes]:
    """Return key → signature of those of the keys that signed, as the statement says. Not verified."""
    signatures = dict(statement.cosignatures)
    return {key: signatures[kid_of(key)] for _, key in keys if kid_of(key) in signatures}
