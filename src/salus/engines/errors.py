"""What an engine or its store cannot do, and whose turn it is then.

    EngineError
    ├── StoreLocked     another process owns the folder
    ├── StoreDamaged    the files are not what was written: restore, or replay from another member
    ├── StoreFull       no room: the block was not written, nothing before it is lost
    ├── StoreFailed     the disk failed: the engine stops
    ├── OtherLedger     the folder, or the other side, holds another ledger
    ├── NotFounded      the folder holds no ledger yet
    ├── NotKept         the ledger has no such height, transaction or leaf
    ├── Busy            too many transactions wait: try again
    ├── ClockJumped     the clock cannot be believed
    ├── Diverged        two roots for one size, or a block that gives another root here
    └── Stopped         the engine stopped, and says why

Messages hold heights, sizes, paths and digests, never the content of a transaction.
"""

from salus.core.errors import SalusError


class EngineError(SalusError):
    """A ledger cannot be read or written here."""


class StoreLocked(EngineError):
    """Another process owns the folder. Use its socket, or stop it."""


class StoreDamaged(EngineError):
    """The files of the ledger are not what was written. Names the file, the height or the leaf."""


class StoreFull(EngineError):
    """There is no room for the block: nothing of it was written, and everything before it is kept."""


class StoreFailed(EngineError):
    """The disk refused to read, write or sync. What was acknowledged is kept; the engine stops."""


class OtherLedger(EngineError):
    """Two ledgers with different genesis documents were about to be mixed."""


class NotFounded(EngineError):
    """The store holds no ledger yet."""


class NotKept(EngineError):
    """The ledger has no such height, transaction or leaf."""


class Busy(EngineError):
    """More transactions wait than the engine keeps. Send again later."""


class ClockJumped(EngineError):
    """The clock is more than 30 days from the ledger's own time. Set it right, or say that it is right."""


class Stopped(EngineError):
    """The engine takes no more transactions. Says why."""


class Diverged(EngineError):
    """Two roots for one size of one log: somebody rewrote history, or two programs compute differently."""
