"""Re-execution: the deep check of a store, `salus replay`, and a ledger as one file for `salus verify`.

A store's bytes follow from its genesis document and its blocks. Every block is executed again on the state before it,
and whatever it writes is compared with what the store holds, part by part; entries that no block wrote are found by
counting. So a flipped bit anywhere is named by height and part, and a program that computes otherwise is too. A store made
from a snapshot is executed again from its height on; what it took is proven again as on arrival.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from salus.core.encoding import MalformedBytes
from salus.core.errors import InvariantBroken, Rejected
from salus.core.kernel import Block, Kernel, Transition
from salus.core.log import NodeId
from salus.core.proof import cbor
from salus.core.proof import leaf as leaves
from salus.core.proof.checkpoint import Checkpoint
from salus.core.proof.errors import MalformedProof, Unproven
from salus.core.proof.export import LEDGER
from salus.engines.errors import NotKept, StoreDamaged
from salus.engines.keyvalues import Part
from salus.engines.snapshots import recheck
from salus.engines.store import Header, LedgerStore, Place, StoredBlock


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found: everything as it should be, up to this block."""

    height: int
    transactions: int
    rows: int
    """Rows of the state now."""
    app_hash: bytes


def replay(store: LedgerStore, kernel: Kernel, progress: Callable[[int], None] = lambda _: None) -> Replayed:
    """Execute every block of a store again and compare all that it wrote.

    Calls `progress` with each height. Raises StoreDamaged at the first difference, naming height and part. An engine
    may go on beside it: the replay ends at the head as it was when it began.
    """
    head = store.head()
    written: Counter[Part] = Counter()
    transactions = 0
    first = store.base + 1 if store.base else 0
    if store.base:
        _recheck(store)
    for height in range(first, head.height + 1):
        try:
            header, block = store.header(height), store.block(height)
            transition = _execute(store, kernel, block)
            _compare(store, header, block, transition)
        except (MalformedBytes, MalformedProof, NotKept, Rejected, InvariantBroken) as error:
            raise StoreDamaged(f"block {height} does not execute again: {type(error).__name__}: {error}") from error
        new = sum(store.row(key, height - 1) is None for key in transition.rows) if height else len(transition.rows)
        transactions += len(block.transactions)
        written[Part.HEADERS] += 1
        written[Part.BLOCKS] += 1
        written[Part.MAP] += len(transition.nodes)
        written[Part.LOG] += len(transition.log_nodes)
        written[Part.LEAVES] += len(transition.leaves)
        written[Part.ROWS] += new
        written[Part.HISTORY] += len(transition.rows) - new
        progress(height)
    if store.head() == head and not store.base:
        _count(store, written)
    _check_index(store)
    return Replayed(head.height, transactions, written[Part.ROWS], head.app_hash)


def _recheck(store: LedgerStore) -> None:
    try:
        recheck(store)
    except (MalformedBytes, Unproven, NotKept, InvariantBroken) as error:
        raise StoreDamaged(f"what came with the snapshot does not prove: {type(error).__name__}: {error}") from error


def _execute(store: LedgerStore, kernel: Kernel, stored: StoredBlock) -> Transition:
    """Execute one block on the state before it, signatures included."""
    if stored.height == 0:
        with store.empty() as empty:
            return kernel.genesis(store.document, stored.time, empty)
    transactions = tuple(kernel.decode(wire) for wire in stored.transactions)
    for transaction in transactions:
        kernel.authenticate(transaction)
    with store.committed(stored.height - 1) as before:
        return kernel.transition(before, Block(stored.height, stored.time, transactions))


def _compare(store: LedgerStore, header: Header, block: StoredBlock, transition: Transition) -> None:
    """Raise StoreDamaged where the store holds something else than the block writes."""
    chain, height = transition.chain, header.height
    told = (header.height, header.time, header.state_version, header.state_root, header.log_size, header.peaks)
    computed = (chain.height, chain.time, chain.state.version, chain.state.digest, chain.log.size, chain.log.peaks)
    if told != computed or header.app_hash != chain.app_hash or header.transactions != len(block.transactions):
        raise StoreDamaged(f"the header of height {height} is not what its block gives")
    if block.app_hash != chain.app_hash:
        raise StoreDamaged(f"block {height} names another digest than it gives")
    if any(store.dated_row(key, height) != (height, value) for key, value in transition.rows.items()):
        raise StoreDamaged(f"a row written at height {height} is not what was written")
    first = chain.log.size - len(transition.leaves)
    if any(store.leaf(first + at) != entry for at, entry in enumerate(transition.leaves)):
        raise StoreDamaged(f"a leaf of height {height} is not what was written")
    with store.nodes() as nodes:
        if any(nodes.get(key) != value for key, value in transition.nodes):
            raise StoreDamaged(f"the state map's nodes of height {height} are not what was written")
        if any(not _same(nodes.node, node, value) for node, value in transition.log_nodes.items()):
            raise StoreDamaged(f"a log node of height {height} is not what was written")
    _compare_index(store, transition, first)


def _compare_index(store: LedgerStore, transition: Transition, first: int) -> None:
    height = transition.chain.height
    for at, transaction in enumerate(transition.block.transactions):
        place = store.place(transaction.id)
        if place is None or not place.first <= height <= place.latest:
            raise StoreDamaged(f"the index does not know a transaction of height {height}")
        if transition.results[at].code == 0 and (place.height, place.index) != (height, first + at):
            raise StoreDamaged(f"the index leads past a transaction applied at height {height}")


def _check_index(store: LedgerStore) -> None:
    """Check that every entry of the index leads to leaves of its own transaction, and to no later one than there is."""
    for tx_id, _ in store.entries(Part.TRANSACTIONS):
        place = store.place(tx_id)
        try:
            held = place is not None and all(
                any(store.leaf(index)[:33] == b"\x01" + tx_id for index in _indices(store, place, height))
                for height in (place.height, place.first, place.latest)
            )
        except NotKept:
            held = False
        if not held:
            raise StoreDamaged("an entry of the index leads to no block that holds its transaction")


def _indices(store: LedgerStore, place: Place, height: int) -> Iterable[int]:
    """Return the leaves among which the transaction must be, if it appeared at `height`."""
    leaves_there = _leaves_of(store, height)
    return leaves_there if height != place.height else [place.index] if place.index in leaves_there else []


def _leaves_of(store: LedgerStore, height: int) -> range:
    header = store.header(height)
    return range(header.log_size - 1 - header.transactions, header.log_size - 1)


def _same(read: Callable[[int, int], bytes], node: NodeId, value: bytes) -> bool:
    return read(*node) == value


def _count(store: LedgerStore, written: Counter[Part]) -> None:
    for part, count in written.items():
        found = store.count(part)
        if found != count:
            raise StoreDamaged(f"{part}: {found} entries, of which the blocks wrote {count}")


def export(
    store: LedgerStore, checkpoint: Checkpoint, out: BinaryIO, progress: Callable[[int, int], None] = lambda _, __: None
) -> int:
    """Write the ledger up to a checkpoint as one file (`salus.core.proof.export`); return how many blocks it holds.

    Calls `progress` with each (height, last height). Raises NotKept if the checkpoint is not of this ledger.
    """
    last = store.height_of_size(checkpoint.size)
    out.write(cbor.encode((LEDGER, store.document)))
    count = 0
    for header, block in _grown(store, last):
        entry = leaves.decode(store.leaf(header.log_size - 1))
        if not isinstance(entry, leaves.BlockLeaf):
            raise StoreDamaged(f"the last leaf of height {header.height} is no block leaf")
        first = header.log_size - 1 - len(block.transactions)
        listed = tuple(
            _listed(wire, leaves.decode(store.leaf(first + at))) for at, wire in enumerate(block.transactions)
        )
        out.write(cbor.encode((block.height, block.time, entry.state_root, entry.parameters, listed)))
        count += 1
        progress(block.height, last)
    out.write(checkpoint.encode())
    return count


def _listed(wire: bytes, leaf: leaves.Leaf) -> tuple[bytes, int, bytes]:
    if not isinstance(leaf, leaves.TransactionLeaf):
        raise StoreDamaged("a transaction's leaf is none")
    return wire, leaf.code, leaf.data


def _grown(store: LedgerStore, last: int) -> Iterator[tuple[Header, StoredBlock]]:
    """Yield the blocks that grew the log, up to height `last`."""
    size = 0
    for height in range(last + 1):
        header = store.header(height)
        if header.log_size > size:
            yield header, store.block(height)
        size = header.log_size
