"""A ledger that another member orders, over the exchange: its blocks, transactions and cosignatures.

The owner's door answers any active member; `RemoteSource` is the follower's side of the port `BlockSource`.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from salus.core.encoding import MalformedBytes, Value, decode
from salus.core.errors import Reason, Rejected, reasons
from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.core.proof.errors import MalformedProof
from salus.engines.checkpoints import Cosigning
from salus.engines.errors import EngineError, NotKept
from salus.engines.follower import LedgerSource, SourceUnavailable
from salus.engines.ports import Ledger, Outcome
from salus.engines.store import StoredBlock
from salus.node.errors import EdgeError, Malformed, NotFound, Unavailable
from salus.node.exchange.wire import Handler, Peers

FOUNDING: Final = "/exchange/ledger/founding"
BLOCKS: Final = "/exchange/ledger/blocks"
SUBMIT: Final = "/exchange/ledger/submit"
OFFER: Final = "/exchange/ledger/offer"
CHECKPOINTS: Final = "/exchange/ledger/checkpoints"
CHANGES: Final = "/exchange/ledger/changes"
MAX_BLOCKS: Final = 100
MAX_CHECKPOINTS: Final = 128  # each with up to 128 signatures: a megabyte; who is further behind asks again
MAX_BYTES: Final = 8 * 1024 * 1024
MAX_WAIT_SECONDS: Final = 1.0
SUBMIT_SECONDS: Final = 10.0
A = TypeVar("A", bound=Value)


class AskFounding(Value, frozen=True):
    """Asks what founded the ledger."""


class Founding(Value, frozen=True):
    """The genesis document and the time of block 0, Unix ms."""

    document: bytes
    time: int


class AskBlocks(Value, frozen=True):
    """Asks for blocks from a height on; if there are none yet, waits up to a second for news."""

    start: int
    wait_ms: int
    limit: int


class Blocks(Value, frozen=True):
    """Blocks in order, as many as fit an answer."""

    blocks: tuple[StoredBlock, ...]


class Submit(Value, frozen=True):
    """Hands in a signed transaction."""

    wire: bytes


class Told(Value, frozen=True):
    """What became of a transaction; height and index -1 if it was refused at the door."""

    tx_id: bytes
    height: int
    index: int
    code: int
    data: bytes


class Offer(Value, frozen=True):
    """Hands in a cosigned checkpoint, or a signed change of the cosigners (the other is empty)."""

    checkpoint: bytes
    change: bytes


class Taken(Value, frozen=True):
    """It was taken."""


class AskCheckpoints(Value, frozen=True):
    """Asks for checkpoints from a log size on."""

    size: int


class Checkpoints(Value, frozen=True):
    """Checkpoints as others signed them, ascending."""

    checkpoints: tuple[bytes, ...]


class AskChanges(Value, frozen=True):
    """Asks for every change of the cosigners up to a log size."""

    size: int


class Changes(Value, frozen=True):
    """Changes of the cosigners with the signatures gathered, in their order."""

    changes: tuple[bytes, ...]


class LedgerDoor:
    """The owner's side: what followers ask."""

    def __init__(self, ledger: Ledger, cosigning: Cosigning, last: int | None = None) -> None:
        """`last` is the last block that this node ordered by itself: nobody follows a consortium's ledger beyond it."""
        self._last = last
        self._source = LedgerSource(ledger, cosigning)
        self._book = cosigning.book

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by path."""
        return {
            FOUNDING: self._founding,
            BLOCKS: self._blocks,
            SUBMIT: self._submit,
            OFFER: self._offer,
            CHECKPOINTS: self._checkpoints,
            CHANGES: self._changes,
        }

    def _founding(self, _sender: str, _body: bytes) -> Value:
        return Founding(self._source.document(), self._source.founded())

    def _blocks(self, _sender: str, body: bytes) -> Value:
        asked = _read(body, AskBlocks)
        found: list[StoredBlock] = []
        size = 0
        if self._last is not None and asked.start > self._last:
            return Blocks(())
        for block in self._source.blocks(asked.start, min(asked.wait_ms / 1000, MAX_WAIT_SECONDS)):
            size += sum(map(len, block.transactions))
            beyond = self._last is not None and block.height > self._last
            if beyond or (found and (size > MAX_BYTES or len(found) >= min(asked.limit, MAX_BLOCKS))):
                break
            found.append(block)
        return Blocks(tuple(found))

    def _submit(self, _sender: str, body: bytes) -> Value:
        try:
            told = self._source.submit(_read(body, Submit).wire).result(SUBMIT_SECONDS)
        except TimeoutError as error:
            raise Unavailable("ledger.timeout", "the ledger did not answer", todo="try again") from error
        except EngineError as error:
            raise Unavailable("ledger.busy", str(error), todo="try again") from error
        height = -1 if told.height is None else told.height
        return Told(told.tx_id, height, -1 if told.index is None else told.index, told.code, told.data)

    def _offer(self, _sender: str, body: bytes) -> Value:
        asked = _read(body, Offer)
        try:
            if asked.checkpoint:
                self._source.offer(Checkpoint.decode(asked.checkpoint))
            if asked.change:
                self._source.offer_change(CosignerChange.decode(asked.change))
        except MalformedProof as error:
            raise Malformed("ledger.checkpoint", str(error)) from error
        except NotKept as error:
            raise NotFound("ledger.not-yet", str(error)) from error
        except EngineError as error:
            raise Unavailable("ledger.fork", str(error)) from error
        return Taken()

    def _checkpoints(self, _sender: str, body: bytes) -> Value:
        found = self._source.checkpoints(_read(body, AskCheckpoints).size)[:MAX_CHECKPOINTS]
        return Checkpoints(tuple(one.encode() for one in found))

    def _changes(self, _sender: str, body: bytes) -> Value:
        asked = _read(body, AskChanges)
        return Changes(tuple(one.encode() for one in self._book.changes() if one.size <= asked.size))


class RemoteSource:
    """The owner's ledger, reached through the exchange (the port `salus.engines.follower.BlockSource`)."""

    def __init__(self, peers: Peers, owner: str) -> None:
        self._peers = peers
        self._owner = owner
        self._senders = ThreadPoolExecutor(4, "ledger-submit")
        self._closed = threading.Event()

    def release(self) -> None:
        """Ask for no more blocks; the question under way is answered by the owner in its time."""
        self._closed.set()

    def close(self) -> None:
        """Let go of the threads."""
        self._closed.set()
        self._senders.shutdown(wait=False, cancel_futures=True)

    def document(self) -> bytes:
        """Return the genesis document. Raises SourceUnavailable."""
        return self._ask(FOUNDING, AskFounding(), Founding).document

    def founded(self) -> int:
        """Return the time of block 0. Raises SourceUnavailable."""
        return self._ask(FOUNDING, AskFounding(), Founding).time

    def block(self, height: int) -> StoredBlock | None:
        """Return one block, or None. Raises SourceUnavailable."""
        found = self._ask(BLOCKS, AskBlocks(height, 0, 1), Blocks).blocks
        return found[0] if found else None

    def blocks(self, from_height: int, timeout: float) -> Iterator[StoredBlock]:
        """Yield blocks from `from_height` on, waiting up to `timeout` seconds for the first. Raises SourceUnavailable."""
        deadline = time.monotonic() + timeout
        height = from_height
        while not self._closed.is_set():
            left = max(0.0, deadline - time.monotonic())
            wait = int(min(left, MAX_WAIT_SECONDS) * 1000) if height == from_height else 0
            found = self._ask(BLOCKS, AskBlocks(height, wait, MAX_BLOCKS), Blocks).blocks
            yield from found
            height += len(found)
            if not found and (height > from_height or left <= MAX_WAIT_SECONDS):
                return

    def submit(self, wire: bytes) -> Future[Outcome]:
        """Send a transaction to the owner."""
        return self._senders.submit(self._submit, wire)

    def _submit(self, wire: bytes) -> Outcome:
        told = self._ask(SUBMIT, Submit(wire), Told)
        reason: Reason | None = reasons().get(told.code) if told.code else None
        height = told.height if told.height >= 0 else None
        index = told.index if told.index >= 0 else None
        refusal = None if reason is None else Rejected(reason)
        return Outcome(told.tx_id, height, index, told.code, told.data, refusal)

    def offer(self, checkpoint: Checkpoint) -> None:
        """Hand in our cosignature. Raises SourceUnavailable."""
        self._ask(OFFER, Offer(checkpoint.encode(), b""), Taken)

    def offer_change(self, change: CosignerChange) -> None:
        """Hand in our signature of a change of the cosigners. Raises SourceUnavailable."""
        self._ask(OFFER, Offer(b"", change.encode()), Taken)

    def checkpoints(self, from_size: int) -> list[Checkpoint]:
        """Return checkpoints that others signed, from a log size on. Raises SourceUnavailable."""
        found = self._ask(CHECKPOINTS, AskCheckpoints(from_size), Checkpoints).checkpoints
        if len(found) > MAX_CHECKPOINTS:
            raise SourceUnavailable(f"the owner answered more than {MAX_CHECKPOINTS} checkpoints")
        try:
            return [Checkpoint.decode(one) for one in found]
        except MalformedProof as error:
            raise SourceUnavailable(f"the owner answered what is no checkpoint: {error}") from error

    def changes(self, size: int) -> list[CosignerChange]:
        """Return every change of the cosigners up to a log size. Raises SourceUnavailable."""
        found = self._ask(CHANGES, AskChanges(size), Changes).changes
        try:
            return [CosignerChange.decode(one) for one in found]
        except MalformedProof as error:
            raise SourceUnavailable(f"{self._owner} answered what is no change: {error}") from error

    def _ask(self, path: str, question: Value, answer: type[A]) -> A:
        try:
            return self._peers.ask(self._owner, path, question, answer)
        except EdgeError as error:
            raise SourceUnavailable(f"{self._owner}: {error.code}") from error


def _read(body: bytes, kind: type[A]) -> A:
    try:
        return decode(body, kind)
    except MalformedBytes as error:
        raise Malformed("ledger.bytes", "the question does not decode", got=str(error)) from error
