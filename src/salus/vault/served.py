"""What a custodian serves under a grant, and how its reader verifies it."""

from typing import Self

import msgspec
from msgspec import structs

from salus.core.encoding import Value
from salus.core.proof.batch import root_from_batch
from salus.core.proof.errors import MalformedProof
from salus.vault.batches import Anchoring
from salus.vault.errors import SealBroken
from salus.vault.sealing import Content, Kind, leaf_of, open_sealed, take_apart


class Served(Value, frozen=True):
    """One sealed record with what opens and proves it."""

    sealed: bytes
    data_key: bytes
    salt: bytes
    root: bytes
    """Root of the batch; the reader looks for it on the ledger, anchored by the writer."""
    size: int
    """Leaves in the batch."""
    index: int
    path: tuple[bytes, ...]

    @property
    def leaf(self) -> bytes:
        """The leaf that seal and salt give. Raises SealBroken."""
        return leaf_of(take_apart(self.sealed), self.salt)

    def without_keys(self) -> Self:
        """Return it as it travels beside the envelope that holds data key and salt."""
        return structs.replace(self, data_key=b"", salt=b"")

    def with_keys(self, data_key: bytes, salt: bytes) -> Self:
        """Return it with what its envelope held."""
        return structs.replace(self, data_key=data_key, salt=salt)


class Pulled(Value, frozen=True):
    """Records served together, and the anchorings of their batches, each once."""

    records: tuple[Served, ...]
    anchorings: tuple[Anchoring, ...]


class Received(msgspec.Struct, frozen=True):
    """A verified record of another member."""

    writer: str
    link: bytes
    """The writer's link id."""
    version: int
    recorded: int
    leaf: bytes
    root: bytes
    """Verified is: this record lies under this root. That `writer` anchored the root is the ledger's to say."""
    content: Content


def receive(served: Served) -> Received:
    """Verify and open a served record. Raises SealBroken naming what does not hold."""
    sealed = take_apart(served.sealed)
    leaf = leaf_of(sealed, served.salt)
    try:
        root = root_from_batch(leaf, served.index, served.size, served.path)
    except MalformedProof as error:
        raise SealBroken(f"the record's path: {error}") from None
    if root != served.root:
        raise SealBroken("the record does not lie under the root that it names")
    meta, body = open_sealed(sealed, served.data_key)
    return Received(
        writer=sealed.writer,
        link=sealed.link,
        version=meta.version,
        recorded=meta.recorded,
        leaf=leaf,
        root=served.root,
        content=Content(meta.type, meta.id, body, meta.media, Kind(meta.kind), meta.source),
    )
