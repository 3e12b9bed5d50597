"""Batches: the leaves of records and disclosures that one root on the ledger stands for."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, cast

import msgspec

from salus.core.encoding import Value
from salus.core.proof import merkle
from salus.core.proof.batch import batch_root
from salus.vault.errors import Damaged, NotAnchored, Refused, UnknownBatch
from salus.vault.store import Store

MAX_BATCH: Final = 65_536
"""Leaves in one batch: 2 MB of leaves, a path of 16 digests, a tree of 8 MB while paths are made."""
_TREES: Final = 4
"""Trees kept in memory: pulls ask for neighbours."""

_HOLDERS: Final = (
    ("record", "SELECT entry, leaf, number FROM record WHERE entry BETWEEN ? AND ?"),
    ("disclosure", "SELECT entry, leaf, entry FROM disclosure WHERE entry BETWEEN ? AND ?"),
)


class Batch(msgspec.Struct, frozen=True):
    """A root to anchor. `records` and `disclosures` are exact; the ledger gets only a bucket."""

    number: int
    root: bytes
    records: int
    disclosures: int


class Anchoring(Value, frozen=True):
    """A batch and where the ledger holds its root."""

    number: int
    root: bytes
    size: int
    tx_id: bytes
    """Of the anchoring transaction; empty until anchored."""
    height: int
    receipt: bytes
    """The ledger's COSE receipt, opaque here."""


class Place(Value, frozen=True):
    """Where a leaf lies in its batch, with its RFC 9162 path, lowest sibling first."""

    batch: int
    index: int
    path: tuple[bytes, ...]


class Trees:
    """The trees of the batches last asked for."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, list[list[bytes]]] = OrderedDict()

    def of(self, store: Store, number: int) -> list[list[bytes]]:
        """Return a batch's tree. Raises Damaged if its leaves no longer give its root."""
        tree = self._kept.pop(number, None)
        if tree is None:
            found = _row(store, number)
            tree = merkle.levels([merkle.leaf_hash(leaf) for leaf in split(found.leaves)])
            if tree[-1][0] != found.root:
                raise Damaged(f"batch {number}: its leaves do not give its root")
        self._kept[number] = tree
        while len(self._kept) > _TREES:
            self._kept.popitem(last=False)
        return tree


def next_batch(store: Store) -> Batch | None:
    """Close the pending leaves (at most 65,536) into a batch, durably; None when nothing is pending.

    Order is that of writing. The batch's leaves never change again; anchor it, then say so with `anchored`.
    """
    with store.lock:
        rows = cast(
            "list[tuple[int, int, bytes]]",
            store.rows("SELECT entry, kind, leaf FROM pending ORDER BY entry LIMIT ?", (MAX_BATCH,)),
        )
        if not rows:
            return None
        first, last = rows[0][0], rows[-1][0]
        if last - first + 1 != len(rows):
            raise Damaged("the pending leaves have a gap")
        disclosures = sum(kind for _, kind, _ in rows)
        leaves = [leaf for _, _, leaf in rows]
        root = batch_root(leaves)
        with store.transaction() as db:
            db.execute(
                "INSERT INTO batch (first, last, records, disclosures, root, made, leaves) VALUES (?,?,?,?,?,?,?)",
                (first, last, len(rows) - disclosures, disclosures, root, store.clock(), b"".join(leaves)),
            )
            number = db.last_insert_rowid()
            db.execute("DELETE FROM pending WHERE entry <= ?", (last,))
        return Batch(number, root, len(rows) - disclosures, disclosures)


def unanchored(store: Store) -> list[Batch]:
    """Return the batches whose root is not known to be on the ledger, oldest first: submit them again."""
    return [
        Batch(*cast("tuple[int, bytes, int, int]", row))
        for row in store.rows("SELECT number, root, records, disclosures FROM batch WHERE tx IS NULL ORDER BY number")
    ]


def anchored(store: Store, number: int, tx_id: bytes, height: int, receipt: bytes) -> None:
    """Note, durably, that the ledger holds the batch's root: transaction id (32 bytes), height, receipt.

    Saying it again with a newer receipt replaces the receipt. Raises UnknownBatch, Refused (another transaction).
    """
    with store.lock:
        before = _row(store, number).tx
        if len(tx_id) != 32 or before not in {None, tx_id}:
            raise Refused(f"batch {number} is anchored by one transaction, whose id has 32 bytes")
        with store.transaction() as db:
            db.execute(
                "UPDATE batch SET tx = ?, height = ?, receipt = ? WHERE number = ?", (tx_id, height, receipt, number)
            )


def anchoring(store: Store, number: int) -> Anchoring:
    """Return a batch's anchoring. Raises UnknownBatch."""
    row = store.row("SELECT root, last - first + 1, tx, height, receipt FROM batch WHERE number = ?", (number,))
    if row is None:
        raise UnknownBatch(f"no batch {number}")
    root, size, tx, height, receipt = cast("tuple[bytes, int, bytes | None, int | None, bytes | None]", row)
    return Anchoring(number, root, size, tx or b"", height or 0, receipt or b"")


def place(store: Store, trees: Trees, entry: int) -> Place | None:
    """Return where entry's leaf lies, or None while it is pending."""
    ((found, _),) = places(store, trees, (entry,))
    return found


def places(store: Store, trees: Trees, entries: Iterable[int]) -> list[tuple[Place | None, Anchoring | None]]:
    """Return where each entry's leaf lies and its batch's anchoring, both None while it is pending.

    Neighbours of one batch are found by one look.
    """
    found: list[tuple[Place | None, Anchoring | None]] = []
    number, first, last, at = 0, 1, 0, None
    tree: list[list[bytes]] = []
    for entry in entries:
        if not first <= entry <= last:
            sql = "SELECT number, first, last FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1"
            number, first, last = cast("tuple[int, int, int]", store.row(sql, (entry,)) or (0, 1, 0))
            if last < entry:
                found.append((None, None))
                continue
            at, tree = anchoring(store, number), trees.of(store, number)
        index = entry - first
        found.append((Place(number, index, tuple(merkle.path_in(tree, index))), at))
    return found


def anchored_place(store: Store, trees: Trees, entry: int | None) -> Place:
    """Return where a leaf lies in an anchored batch. Raises NotAnchored."""
    found = place(store, trees, entry) if entry is not None else None
    if found is None or not anchoring(store, found.batch).tx_id:
        raise NotAnchored("the record is not on the ledger yet")
    return found


def check_batches(store: Store) -> tuple[int, list[str]]:
    """Recompute every batch's root and compare every stored leaf with its place; return count and damage found."""
    damage = []
    count, following = 0, 1
    for (number,) in cast("list[tuple[int]]", store.rows("SELECT number FROM batch ORDER BY number")):
        count += 1
        row = _row(store, number)
        leaves = split(row.leaves)
        if row.first != following or len(leaves) != row.last - row.first + 1:
            damage.append(f"batch {number}: its leaves are not the ones that follow the batch before")
            continue
        if batch_root(leaves) != row.root:
            damage.append(f"batch {number}: its leaves do not give its root")
        following = row.last + 1
        for what, sql in _HOLDERS:
            held = cast("list[tuple[int, bytes, int]]", store.rows(sql, (row.first, row.last)))
            damage += [
                f"{what} {name}: its leaf is not the one in batch {number}"
                for entry, leaf, name in held
                if leaves[entry - row.first] != leaf
            ]
    return count, damage


def split(leaves: bytes) -> Sequence[bytes]:
    """Return the 32-byte leaves of a stored array."""
    return [leaves[at : at + 32] for at in range(0, len(leaves), 32)]


class _Row(msgspec.Struct):
    first: int
    last: int
    root: bytes
    leaves: bytes
    tx: bytes | None


def _row(store: Store, number: int) -> _Row:
    row = store.row("SELECT first, last, root, leaves, tx FROM batch WHERE number = ?", (number,))
    if row is None:
        raise UnknownBatch(f"no batch {number}")
    return _Row(*cast("tuple[int, int, bytes, bytes, bytes | None]", row))
