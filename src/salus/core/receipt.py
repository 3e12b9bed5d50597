"""Making receipts and state proofs from stored nodes. Verification is `core.proof`."""

from salus.core.log import ReadNode, prove_consistency, prove_inclusion
from salus.core.map import NodeReader, Root, prove
from salus.core.proof.checkpoint import Checkpoint
from salus.core.proof.receipt import Receipt, StateProof, extended
from salus.core.proof.statemap import state_path


def receipt(read_node: ReadNode, entry: bytes, index: int, checkpoint: Checkpoint) -> Receipt:
    """Return the receipt of the leaf at `index`, whose entry is given. Raises IndexError above the checkpoint's size."""
    return Receipt(entry, index, tuple(prove_inclusion(read_node, index, checkpoint.size)), checkpoint)


def extend(read_node: ReadNode, old: Receipt, checkpoint: Checkpoint) -> Receipt:
    """Return an older receipt carried to a newer checkpoint. Raises IndexError if the checkpoint is not newer.

    A receipt that was extended before is carried on from its own tree: it never has two extensions.
    """
    return extended(old, checkpoint, prove_consistency(read_node, old.size, checkpoint.size))


def state_proof(nodes: NodeReader, root: Root, row_key: bytes, block: Receipt) -> StateProof:
    """Return the proof of a row, or of its absence, in the state that `block`, the receipt of its leaf, names.

    `row_key` is u16 big-endian number of the table, then the row's key. Raises InvariantBroken on a missing node.
    """
    return StateProof(row_key, prove(nodes, root, state_path(row_key)), block)
