"""Pull: what is asked and answered when a member fetches records under a patient's grant.

The answer holds sealed records; the keys of exactly these records travel in one envelope for the grantee. A signed
manifest names the leaves served and the transaction that committed the disclosure before the first byte left.
"""

from collections.abc import Sequence
from typing import Final

from salus.agreements.grants import Presented
from salus.core.encoding import Value, encode
from salus.core.proof.digest import digest
from salus.vault.served import Served

FORMAT: Final = 1
PATH: Final = "/exchange/pull"
PURPOSE: Final = "pull"
MAX_RECORDS: Final = 500
DEFERRED: Final = bytes(32)
"""In a manifest, instead of the transaction that committed a disclosure: it could not be committed yet."""
MAX_BYTES: Final = 8 * 1024 * 1024


def fitting(sizes: Sequence[int]) -> int:
    """Return how many records of these sizes (bytes, sealed) go into one answer: one at least, if there is one."""
    taken = total = 0
    for size in sizes[:MAX_RECORDS]:
        total += size
        if taken and total > MAX_BYTES:
            break
        taken += 1
    return taken


class Pull(Value, frozen=True):
    """A question for the records of one patient at one custodian."""

    format: int
    id: bytes
    """16 random bytes; envelope and manifest are bound to them."""
    presented: Presented
    """The grant as this custodian may see it."""
    purpose: str
    """Purpose of use, v3-ActReason code, one of the grant's."""
    credential: str
    """Person credential (compact JWS) of whoever reads, or empty for the member's own program."""
    cursor: bytes
    """What the last answer gave, or empty for the beginning."""
    seen: int
    """Height at which the asker sees the grant live: a custodian whose replica is behind waits for it."""


class Rooted(Value, frozen=True):
    """A root under which records lie, and the transaction that anchored it."""

    root: bytes
    tx_id: bytes


class Opening(Value, frozen=True):
    """What opens one record."""

    data_key: bytes
    salt: bytes


class Openings(Value, frozen=True):
    """What opens the records of one answer, in their order: the content of its envelope."""

    records: tuple[Opening, ...]


class Manifest(Value, frozen=True):
    """What the custodian says it served."""

    format: int
    network: bytes
    custodian: str
    grantee: str
    grant: bytes
    question: bytes
    """Id of the question."""
    disclosure: bytes
    """Id of the transaction that committed the disclosure."""
    height: int
    """Height of its block, in whose state grant, link and grantee were checked again."""
    tag: bytes
    """Stands for the disclosure's line; with `answer_digest` it gives the leaf that the transaction anchored."""
    index: int
    size: int
    path: tuple[bytes, ...]
    """Where that leaf lies in its batch."""
    leaves: tuple[bytes, ...]
    """Digests that the records' leaves give, in their order."""
    more: bool
    """Whether a further question with the cursor is worth asking now."""


def answer_digest(question: Value, custodian: str, asker: str, leaves: Sequence[bytes]) -> bytes:
    """Return what a disclosure's line is bound to: one question (slip, window, purpose, random id) and its answer."""
    return digest(
        "salus/v1/answer", encode(question), custodian.encode("ascii"), asker.encode("ascii"), b"".join(leaves)
    )


class Pulled(Value, frozen=True):
    """One chunk of an answer."""

    records: tuple[Served, ...]
    """Sealed; data keys and salts are empty here and stand in the envelope."""
    roots: tuple[Rooted, ...]
    envelope: bytes
    """`Openings`, sealed to the grantee."""
    manifest: bytes
    signature: bytes
    """By the custodian's signing key over the framed manifest."""
    cursor: bytes
    """Where a later question goes on."""
