"""What the ledger knows of grants: that one exists, until when, and whether it was revoked."""

import hashlib
from enum import IntEnum
from typing import Final

from salus.contracts.fields import Digest, Height, Time
from salus.core.encoding import Value
from salus.core.tables import Invariant, Table, View

NUMBER: Final = 3


class GrantStatus(IntEnum):
    """Whether a grant was revoked. That it has expired is computed when it is read."""

    GRANTED = 1
    REVOKED = 2


class GrantRow(Value, frozen=True):
    """A grant. Key: SHA-256 of the one-time key that authored it.

    The row names neither who sent it nor who was granted anything: a grantee's id would show which organisations a
    patient's key deals with, and a sender's would tie rows of one home together. All grants of a block encode to
    equally many bytes.
    """

    commitment: Digest
    """SHA-256 over the salted digests of the grant's document and slips, padded."""
    expiry: Time
    """The block time from which the grant no longer holds, ms, a multiple of the network's rounding."""
    status: GrantStatus
    """Whether it was revoked."""
    height: Height
    """Height of the block that granted or, if revoked, revoked it."""


def grant_id(author_key: bytes) -> bytes:
    """Return the id of the grant that a one-time key (32 bytes) authors."""
    return hashlib.sha256(author_key).digest()


def _stays_revoked(_view: View, _key: bytes, before: GrantRow | None, after: GrantRow) -> bool:
    if before is None:
        return after.status is GrantStatus.GRANTED
    return before.status is GrantStatus.GRANTED and after.status is GrantStatus.REVOKED


def _keeps_what_was_granted(_view: View, _key: bytes, before: GrantRow | None, after: GrantRow) -> bool:
    return before is None or (before.commitment, before.expiry) == (after.commitment, after.expiry)


GRANTS: Final = Table(
    NUMBER * 256 + 1,
    "consent.grants",
    GrantRow,
    (
        Invariant("a grant is made once, revoked once, and stays revoked", _stays_revoked),
        Invariant("a grant keeps its commitment and expiry", _keeps_what_was_granted),
    ),
)
