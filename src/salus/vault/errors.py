"""What the vault refuses or cannot do.

    SalusError
    └── VaultError
        ├── WrongKey         the key does not open this file
        ├── Damaged          stored bytes are not what was stored; names the record or the file
        ├── SealBroken       a sealed record, leaf, path or chain does not verify
        ├── EnvelopeRefused  an envelope is not for this recipient, sender or purpose
        ├── UnknownLink, UnknownRecord, UnknownBatch, UnknownWallet
        ├── NotAnchored      a record is not on the ledger yet, so nobody but its writer may have it
        ├── Erased           the link's content was erased, or erasure has closed it
        ├── TooLarge         content above a limit
        ├── Refused          an instruction of a link key or wallet that does not hold; carries what would
        ├── StorageFull      the disk is full; nothing was stored
        ├── Stopped          a failed write left the disk in doubt; the process must restart
        └── RestoreRefused   a backup without the list of erasures, or one that does not fit

Messages name records by number and files by name, never by a patient's identifier.
"""

from salus.core.errors import SalusError


class VaultError(SalusError):
    """Anything that the vault refuses or cannot do."""


class WrongKey(VaultError):
    """The key does not open this file, or the file is not one of ours."""


class Damaged(VaultError):
    """Stored bytes are not what was stored."""


class SealBroken(VaultError):
    """A sealed record, its leaf, path or chain does not verify."""


class EnvelopeRefused(VaultError):
    """An envelope is not what its reader expected: sender, recipient, purpose, object or bytes."""


class UnknownLink(VaultError):
    """No such link in this vault."""


class UnknownRecord(VaultError):
    """No such record in this vault."""


class UnknownBatch(VaultError):
    """No such batch in this vault."""


class UnknownWallet(VaultError):
    """No wallet file under this locator."""


class NotAnchored(VaultError):
    """A record's batch is not on the ledger yet; only its writer may read it."""


class Erased(VaultError):
    """The link's content was erased, or is closed by an erasure."""


class TooLarge(VaultError):
    """Content above a limit of the format."""


class Refused(VaultError):
    """An instruction that does not hold. `current` is the counter or version that the next one must exceed."""

    def __init__(self, message: str, *, current: int = 0) -> None:
        self.current = current
        super().__init__(message)


class StorageFull(VaultError):
    """The disk is full. Nothing of the write was stored; the vault goes on reading."""


class Stopped(VaultError):
    """A write failed in a way that leaves the disk in doubt. Restart: start-up cuts what was never acknowledged."""


class RestoreRefused(VaultError):
    """A backup cannot be put back: no list of erasures was given, or it does not fit."""
