"""The four calls of ABCI about snapshots: what this node hands out, and what it takes when it joins.

CometBFT tells the digest that its light client has proven; the manifest travels as the snapshot's metadata, so that it is
proven before any chunk is asked for, and a peer that lies is left at its first chunk that does not fit.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from salus.core.encoding import decode
from salus.engines.cometbft.schema import MESSAGES
from salus.engines.errors import EngineError, NotKept
from salus.engines.snapshots import EVERY, FORMAT, BadSnapshot, Manifest, Restoring, Shelf, selected
from salus.engines.store import Header, LedgerStore

OFFER_ACCEPT: Final = 1
OFFER_ABORT: Final = 2
OFFER_REJECT_FORMAT: Final = 4
OFFER_REJECT_SENDER: Final = 5
CHUNK_ACCEPT: Final = 1
CHUNK_ABORT: Final = 2
CHUNK_RETRY: Final = 3

Report = Callable[[str, str], None]
"""Told of what went wrong: an event's name, and a peer's node id or the kind of error."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The ledger that a node without one joins."""

    network: bytes
    folder: Path
    """Where what comes in lies until it is whole."""


class Snapshots:
    """Makes snapshots of a store on a thread of its own, hands them out, and takes one if one is wanted."""

    def __init__(
        self,
        store: LedgerStore,
        folder: Path,
        *,
        wanted: Wanted | None = None,
        every: int = EVERY,
        report: Report = lambda _event, _who: None,
    ) -> None:
        """`folder` is this node's own shelf."""
        self._store = store
        self._shelf = Shelf(folder)
        self._shelf.clear()
        self._wanted = wanted
        self._every = every
        self._report = report
        self._maker = ThreadPoolExecutor(1, "ledger-snapshot")
        self._restoring: Restoring | None = None

    def close(self) -> None:
        """Finish the snapshot under way."""
        self._maker.shutdown(cancel_futures=True)

    def heights(self) -> list[int]:
        """Return the heights of the snapshots that are handed out, the newest first."""
        return self._shelf.heights()

    def heard(self, header: Header) -> None:
        """Make a snapshot of a block that was committed, if the chain selects it."""
        if selected(self._store, header, self._every):
            made = self._maker.submit(self._shelf.add, self._store, header.height)
            made.add_done_callback(self._told)

    def _told(self, made: Future[None]) -> None:
        """Report a snapshot that could not be made: others hand out theirs."""
        error = None if made.cancelled() else made.exception()
        if isinstance(error, EngineError | OSError):
            self._report("snapshot.failed", type(error).__name__)
        elif error is not None:
            raise error

    # Handing out ------------------------------------------------------------------------------------------------

    def listed(self) -> Any:
        """Answer ListSnapshots."""
        found = [self._snapshot(height, self._shelf.manifest(height)) for height in self._shelf.heights()]
        return MESSAGES["ResponseListSnapshots"](snapshots=found)

    @staticmethod
    def _snapshot(height: int, manifest: bytes) -> Any:
        return MESSAGES["Snapshot"](
            height=height,
            format=FORMAT,
            chunks=decode(manifest, Manifest).chunks,
            hash=hashlib.sha256(manifest).digest(),
            metadata=manifest,
        )

    def loaded(self, request: Any) -> Any:
        """Answer LoadSnapshotChunk; with nothing, if it is not kept any more."""
        try:
            chunk = self._shelf.chunk(request.height, request.chunk)
        except NotKept:
            chunk = b""
        return MESSAGES["ResponseLoadSnapshotChunk"](chunk=chunk)

    # Taking -----------------------------------------------------------------------------------------------------

    def offered(self, request: Any) -> Any:
        """Answer OfferSnapshot: take what proves itself against the digest that CometBFT has proven."""
        return MESSAGES["ResponseOfferSnapshot"](result=self._offered(request.snapshot, request.app_hash))

    def _offered(self, snapshot: Any, app_hash: bytes) -> int:
        if self._wanted is None or self._store.founded:
            return OFFER_ABORT
        if snapshot.format != FORMAT:
            return OFFER_REJECT_FORMAT
        manifest = snapshot.metadata
        try:
            self._restoring = Restoring(
                manifest,
                app_hash=app_hash,
                network=self._wanted.network,
                height=snapshot.height,
                folder=self._wanted.folder,
            )
            right = snapshot.chunks == self._restoring.chunks and snapshot.hash == hashlib.sha256(manifest).digest()
        except BadSnapshot:
            right = False
        if not right:
            self._restoring = None
            self._report("snapshot.refused", "manifest")
            return OFFER_REJECT_SENDER
        return OFFER_ACCEPT

    def applied(self, request: Any) -> Any:
        """Answer ApplySnapshotChunk: a chunk that does not fit is asked for again, and its sender never again."""
        answer = MESSAGES["ResponseApplySnapshotChunk"]
        if self._restoring is None:
            return answer(result=CHUNK_ABORT)
        try:
            self._restoring.take(request.index, request.chunk)
        except BadSnapshot:
            self._report("snapshot.refused", request.sender)
            return answer(result=CHUNK_RETRY, refetch_chunks=[request.index], reject_senders=[request.sender])
        if self._restoring.whole:
            self._restoring.finish(self._store)
            self._restoring = None
        return answer(result=CHUNK_ACCEPT)
