"""Proofs out of a store: receipts by transaction id, and what a row was, or that there was none, at a height."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from salus.core import receipt as make
from salus.core.log import prove_consistency, prove_subset
from salus.core.map import Root, prove
from salus.core.proof.checkpoint import Checkpoint
from salus.core.proof.receipt import Receipt, StateProof
from salus.core.proof.statemap import MapProof, state_path
from salus.core.tables import Table
from salus.engines.checkpoints import Cosigning
from salus.engines.errors import NotKept
from salus.engines.store import LedgerStore

PATIENCE: int = 5
"""Seconds to wait for a checkpoint: one is due at most a second after the block, and cosigners need a round trip."""


@dataclass(frozen=True, slots=True)
class ProvenRow:
    """A row's bytes at a height, None if there was none, and the proof of either."""

    value: bytes | None
    proof: StateProof


@dataclass(frozen=True, slots=True)
class ShownLeaves:
    """Leaves of the log under one checkpoint."""

    entries: tuple[bytes, ...]
    nodes: tuple[bytes, ...]
    """What leads from them to the checkpoint's root (`merkle.root_from_subset`)."""
    checkpoint: Checkpoint


class Prover:
    """Makes proofs of one ledger under the newest checkpoint that enough cosigners signed.

    Every method waits up to `timeout` seconds for such a checkpoint and raises NotKept if there is none by then.
    """

    def __init__(self, store: LedgerStore, cosigning: Cosigning) -> None:
        self._store = store
        self._cosigning = cosigning

    def receipt(self, tx_id: bytes, *, timeout: float = PATIENCE) -> Receipt:
        """Return the receipt of a transaction, applied or rejected. Raises NotKept for one that is not in the log."""
        place = self._store.place(tx_id)
        if place is None:
            raise NotKept(f"the log holds no transaction {tx_id.hex()}")
        return self.leaf_receipt(place.index, timeout=timeout)

    def leaf_receipt(self, index: int, *, timeout: float = PATIENCE) -> Receipt:
        """Return the receipt of the log's leaf `index`. Raises NotKept."""
        entry = self._store.leaf(index)
        checkpoint = self._checkpoint(index, timeout)
        with self._store.nodes() as nodes:
            return make.receipt(nodes.node, entry, index, checkpoint)

    def places(self, tx_id: bytes) -> tuple[int, int]:
        """Return where the log holds a transaction and the block that it is in. Raises NotKept."""
        place = self._store.place(tx_id)
        if place is None:
            raise NotKept(f"the log holds no transaction {tx_id.hex()}")
        return place.index, self._store.header(place.height).log_size - 1

    def leaves(self, places: Sequence[int], *, timeout: float = PATIENCE) -> ShownLeaves:
        """Return the log's leaves at rising `places`, proven together. Raises NotKept."""
        entries = tuple(self._store.leaf(place) for place in places)
        checkpoint = self._checkpoint(places[-1], timeout)
        with self._store.nodes() as nodes:
            return ShownLeaves(entries, tuple(prove_subset(nodes.node, places, checkpoint.size)), checkpoint)

    def extend(self, receipt: Receipt) -> Receipt:
        """Return an older receipt carried to the newest checkpoint, or as it is if there is no newer."""
        checkpoint = self._checkpoint(receipt.checkpoint.size - 1, 0)
        if checkpoint.size == receipt.checkpoint.size:
            return receipt
        with self._store.nodes() as nodes:
            return make.extend(nodes.node, receipt, checkpoint)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the proof that the log of `new` leaves begins with that of `old`. Raises NotKept."""
        if not 0 <= old <= new <= self._store.head().log_size:
            raise NotKept(f"the log has no sizes {old} and {new}")
        with self._store.nodes() as nodes:
            return tuple(prove_consistency(nodes.node, old, new))

    def row(self, table: Table[Any], key: bytes, height: int | None = None, *, timeout: float = PATIENCE) -> ProvenRow:
        """Return a row at `height` (the newest if None), or its absence, with the proof. Raises NotKept."""
        header = self._store.head() if height is None else self._store.header(height)
        state_key = table.state_key(key)
        value = self._store.row(state_key, header.height)
        block = self.leaf_receipt(header.log_size - 1, timeout=timeout)
        with self._store.nodes() as nodes:
            root = Root(header.state_version, header.state_root)
            return ProvenRow(value, make.state_proof(nodes, root, state_key, block))

    def rows(
        self, state_keys: Sequence[bytes], height: int, *, timeout: float = PATIENCE
    ) -> tuple[list[MapProof], Receipt]:
        """Return the proofs of many rows at `height`, and the receipt of the block's leaf that all stand under.

        A state key is u16 number of the table, then the row's key. Raises NotKept.
        """
        header = self._store.header(height)
        block = self.leaf_receipt(header.log_size - 1, timeout=timeout)
        root = Root(header.state_version, header.state_root)
        with self._store.nodes() as nodes:
            return [prove(nodes, root, state_path(key)) for key in state_keys], block

    def _checkpoint(self, index: int, timeout: float) -> Checkpoint:
        return self._cosigning.trimmed(self._cosigning.covering(index, timeout))
