"""When acts were anchored, so that anybody can tell without a network: kept by who received them, shown in the evidence.

    act → leaf     the act's record sealed once more with its data key, salt and chain value: only that record gives the leaf
    leaf → root    the leaves that are shown of a batch, with the nodes between them and its root
    root → log     the entry of the anchoring transaction, the site's, and of a block that stands after it: the root
                   was in the log by that block's time
    log → trust    all these entries under one checkpoint

What one signature covers is proven by its last act, whose record was written with the others. A proof may name a later block
than the first: it then shows a later time, and never an earlier one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from salus.agreements.trials.acts import Anchored, SignedAct, runs
from salus.contracts.records.port import read_anchor
from salus.core.encoding import Value, encode
from salus.core.proof import cbor, merkle
from salus.core.proof.batch import MAX_LEAVES
from salus.core.proof.checkpoint import Checkpoint
from salus.core.proof.errors import MalformedProof, ProofMismatch, Unproven
from salus.core.proof.leaf import BlockLeaf, TransactionLeaf, decode
from salus.core.proof.receipt import nodes_in
from salus.core.proof.trust import Trust
from salus.node.member import MemberNode
from salus.node.trials.kept import ActProof, ErasedAct
from salus.node.trials.sight import ACT, MEDIA
from salus.vault.errors import VaultError
from salus.vault.sealing import Content, Kind, header_of, leaf_again, take_apart
from salus.vault.served import Received, Served, receive

MOST_NODES: Final = 1 << 20  # 32 MB of them


class Resealed(Value, frozen=True):
    """What gives the leaf of an act's record again, and where that lies."""

    number: int
    """Of the act in its chain."""
    batch: int
    """Among the file's batches, from 0."""
    index: int
    """Among the batch's leaves."""
    link: bytes
    """The site's link id, in the record's header."""
    data_key: bytes
    salt: bytes
    chain: bytes
    version: int
    recorded: int


class ErasedLeaf(Value, frozen=True):
    """The leaf of an act that was erased: all that is left of it."""

    leaf: bytes
    batch: int
    index: int


class ShownBatch(Value, frozen=True):
    """A batch of a site's leaves, those of the file's acts shown."""

    root: bytes
    size: int
    places: tuple[int, ...]
    """Of the leaves shown, rising."""
    hashes: bytes
    """Their leaf hashes, 32 bytes each."""
    nodes: bytes
    anchor: int
    """Place in the log of the transaction that anchored the root."""
    block: int
    """Place in the log of the block by whose time it was anchored."""


class ShownLog(Value, frozen=True):
    """Entries of the log under one checkpoint."""

    places: tuple[int, ...]
    """Rising."""
    entries: tuple[bytes, ...]
    nodes: bytes
    checkpoint: bytes


class Anchors(Value, frozen=True):
    """The anchors of all acts in a file."""

    batches: tuple[ShownBatch, ...]
    log: tuple[ShownLog, ...]
    """None without batches, else one."""


def content_of(study: bytes, subject: bytes, number: int, signed: SignedAct) -> Content:
    """Return an act as its site seals it."""
    return Content(ACT, f"{(study + subject).hex()}-{number:06d}", encode(signed), MEDIA, Kind.DOCUMENT)


def proof_of(served: Served, received: Received, tx_id: bytes) -> ActProof:
    """Return what is kept of a record that was received, so that its anchor can be shown on."""
    return ActProof(
        link=received.link,
        data_key=served.data_key,
        salt=served.salt,
        chain=take_apart(served.sealed).chain,
        version=received.version,
        recorded=received.recorded,
        root=served.root,
        size=served.size,
        index=served.index,
        path=served.path,
        tx_id=tx_id,
    )


@dataclass
class _Batch:
    """A batch while a file is written."""

    size: int
    tx_id: bytes
    number: int
    hashes: dict[int, bytes] = field(default_factory=dict)
    known: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def take(self, leaf: bytes, index: int, path: Sequence[bytes]) -> None:
        self.hashes[index] = merkle.leaf_hash(leaf)
        self.known |= dict(zip(merkle.ranges_of_path(index, self.size), path, strict=True))

    def nodes(self) -> list[bytes]:
        return merkle.subset_nodes(lambda start, end: self.known[start, end], sorted(self.hashes), self.size)


class Gathering:
    """The anchors of a file while it is written: each batch and each block once."""

    def __init__(self, node: MemberNode) -> None:
        self._node = node
        self._batches: dict[bytes, _Batch] = {}

    def show(self, site: str, content: Content, number: int, proof: ActProof) -> Resealed:
        """Take the proof of an act; return what the file says of it. Raises VaultError for one that does not hold."""
        leaf = _leaf(content, site, proof)
        batch = self._batch(proof.root, proof.size, proof.tx_id)
        batch.take(leaf, proof.index, proof.path)
        told = (proof.link, proof.data_key, proof.salt, proof.chain, proof.version, proof.recorded)
        return Resealed(number, batch.number, proof.index, *told)

    def show_erased(self, act: ErasedAct) -> ErasedLeaf:
        """Take the leaf of an act that was erased at this site."""
        anchoring = self._node.vault.anchoring(act.batch)
        batch = self._batch(anchoring.root, anchoring.size, anchoring.tx_id)
        batch.take(act.leaf, act.index, self._node.vault.batch_path(act.batch, act.index))
        return ErasedLeaf(act.leaf, batch.number, act.index)

    def _batch(self, root: bytes, size: int, tx_id: bytes) -> _Batch:
        return self._batches.setdefault(root, _Batch(size, tx_id, len(self._batches)))

    def finish(self) -> Anchors:
        """Return the anchors. Raises NotKept."""
        at = {root: self._node.prover.places(one.tx_id) for root, one in self._batches.items()}
        batches = tuple(
            ShownBatch(
                root,
                one.size,
                tuple(sorted(one.hashes)),
                b"".join(one.hashes[index] for index in sorted(one.hashes)),
                b"".join(one.nodes()),
                *at[root],
            )
            for root, one in self._batches.items()
        )
        if not batches:
            return Anchors((), ())
        places = sorted({place for pair in at.values() for place in pair})
        shown = self._node.prover.leaves(places)
        checkpoint = cbor.encode(shown.checkpoint.to_cbor())
        return Anchors(batches, (ShownLog(tuple(places), shown.entries, b"".join(shown.nodes), checkpoint),))


def own_proofs(node: MemberNode, numbers: Sequence[int]) -> Iterator[ActProof]:
    """Yield the proofs of records of the own vault that are anchored, in order. Raises VaultError."""
    pulled = node.vault.seal_for_pull(numbers, retained=True)
    anchored = {each.root: each.tx_id for each in pulled.anchorings}
    for served in pulled.records:
        yield proof_of(served, receive(served), anchored[served.root])


def _leaf(content: Content, site: str, told: ActProof | Resealed) -> bytes:
    return leaf_again(
        content,
        header=header_of(told.link, site),
        version=told.version,
        recorded=told.recorded,
        data_key=told.data_key,
        salt=told.salt,
        chain=told.chain,
    )


@dataclass(frozen=True, slots=True)
class _Proven:
    """A batch that stands in the log."""

    site: str
    time: int
    hashes: Mapping[int, bytes]


class Shown:
    """The anchors of a file as far as they stand under a trust file."""

    def __init__(self, told: Anchors, trust: Trust) -> None:
        self.wrong: list[str] = []
        """What does not hold, by name."""
        self._batches: dict[int, _Proven] = {}
        try:
            entries = _entries(told, trust) if told.batches else {}
        except Unproven as error:
            self.wrong.append(f"anchors: {error}")
            return
        for number, batch in enumerate(told.batches):
            try:
                self._batches[number] = _proven(batch, entries)
            except Unproven as error:
                self.wrong.append(f"anchor {number} of root {batch.root.hex()[:16]}: {error}")

    def anchored(
        self, study: bytes, site: str, subject: bytes, acts: Sequence[SignedAct], told: Sequence[Resealed]
    ) -> tuple[list[Anchored], list[str]]:
        """Return a chain's acts with the times that are proven, 0 for the others; and for each of those why."""
        proofs = {each.number: each for each in told}
        found: list[Anchored] = []
        wrong: list[str] = []
        for run in runs(acts):
            first, last = len(found) + 1, len(found) + len(run)
            time = 0
            try:
                time = self._time(site, content_of(study, subject, last, run[-1]), proofs.get(last))
            except (Unproven, VaultError, ValueError) as error:
                named = f"act {last}" if first == last else f"acts {first} to {last}"
                wrong.append(f"{named}: when it was anchored is not proven, {error}")
            found += [Anchored(each, time) for each in run]
        return found, wrong

    def _time(self, site: str, content: Content, told: Resealed | None) -> int:
        if told is None:
            raise MalformedProof("no proof")
        return self.time_of(site, merkle.leaf_hash(_leaf(content, site, told)), told.batch, told.index)

    def time_of(self, site: str, leaf_hash: bytes, batch: int, index: int) -> int:
        """Return the block time by which a site anchored a leaf, ms. Raises Unproven."""
        proven = self._batches.get(batch)
        if proven is None:
            raise MalformedProof("its batch is not proven")
        if proven.site != site:
            raise ProofMismatch("its root was anchored by another member")
        if proven.hashes.get(index) != leaf_hash:
            raise ProofMismatch("the batch holds another leaf there")
        return proven.time


def _entries(told: Anchors, trust: Trust) -> dict[int, bytes]:
    """Return the log's entries that stand under a trust file, by place. Raises Unproven."""
    if len(told.log) != 1:
        raise MalformedProof("batches without the log that they are anchored in")
    (log,) = told.log
    entries = dict(zip(log.places, log.entries, strict=False))
    if len(entries) != len(log.places) or len(entries) != len(log.entries):
        raise MalformedProof("places and entries of the log do not go together")
    checkpoint = Checkpoint.from_cbor(cbor.decode(log.checkpoint))
    hashes = {place: merkle.leaf_hash(entry) for place, entry in entries.items()}
    root = merkle.root_from_subset(hashes, checkpoint.size, nodes_in(log.nodes, MOST_NODES))
    if root != checkpoint.root:
        raise ProofMismatch("the log's entries do not lead to the checkpoint's root")
    trust.accept_checkpoint(checkpoint)
    return entries


def _proven(batch: ShownBatch, entries: Mapping[int, bytes]) -> _Proven:
    """Return a batch that its site anchored. Raises Unproven."""
    if len(batch.hashes) != 32 * len(batch.places) or batch.size > MAX_LEAVES:
        raise MalformedProof("places and leaves of a batch do not go together")
    hashes = {place: batch.hashes[32 * at : 32 * at + 32] for at, place in enumerate(batch.places)}
    if merkle.root_from_subset(hashes, batch.size, nodes_in(batch.nodes, MOST_NODES)) != batch.root:
        raise ProofMismatch("its leaves do not lead to the root")
    if batch.anchor not in entries or batch.block not in entries or batch.anchor >= batch.block:
        raise MalformedProof("no entry of the anchor, or of a block after it")
    anchor, block = decode(entries[batch.anchor]), decode(entries[batch.block])
    if not isinstance(anchor, TransactionLeaf) or not isinstance(block, BlockLeaf) or anchor.code:
        raise MalformedProof("not an anchor that was applied, or not a block")
    try:
        told = read_anchor(anchor.data)
    except ValueError as error:
        raise MalformedProof(str(error)) from None
    if told.root != batch.root:
        raise ProofMismatch("the transaction anchors another root")
    return _Proven(told.submitter, block.time, hashes)
