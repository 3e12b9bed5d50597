"""Why the kernel itself refuses a transaction, whatever its message."""

from salus.core.errors import Reason, numbered


@numbered(0)
class KernelReason(Reason):
    """Refusals that every rule version shares, in order of precedence."""

    MALFORMED = 1
    """The bytes do not decode, or break a limit. Such a transaction never enters a block."""
    OTHER_NETWORK = 2
    """Signed for another ledger."""
    BAD_SIGNATURE = 3
    """A signature does not hold under the key in the body. Such a transaction never enters a block."""
    AUTHOR_EXPECTED = 4
    """The message speaks for a person or thing, but no author signed it."""
    AUTHOR_UNEXPECTED = 5
    """The message speaks for the submitter alone, but an author signed it."""
    EXPIRED = 6
    """Block time has passed the transaction's expiry."""
    EXPIRES_TOO_LATE = 7
    """The expiry lies more than ten minutes after block time."""
    REPLAYED = 8
    """A transaction with this id is already in the log."""
    ROW_LIMIT = 9
    """A row that it would write exceeds the limits of its table: a counter at its end, or more than 64 KB."""
