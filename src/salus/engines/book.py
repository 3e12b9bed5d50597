"""What is signed about a ledger, kept beside it: checkpoints, changes of the cosigners, and evidence of a fork.

A second store in a folder of its own. Losing it loses nothing that the cosigners cannot sign again.
"""

from pathlib import Path
from typing import Final

from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.engines.errors import OtherLedger, StoreDamaged
from salus.engines.keyvalues import BookPart, KeyValues, MemoryKeyValues
from salus.engines.lmdbfile import LmdbKeyValues

FORMAT: Final = b"salus/v1/book"
MAP_BYTES: Final = 8 << 30
"""Address space, not disk: some twenty million checkpoints of four cosigners, one a second for most of a year."""
_END: Final = bytes([255]) * 9  # above every u64


class CheckpointBook:
    """The statements about one ledger. Raises OtherLedger if the store holds another's."""

    def __init__(self, values: KeyValues, network: bytes) -> None:
        self._values = values
        with values.reading() as reading:
            found, kept = reading.get(BookPart.BOOK, b"format"), reading.get(BookPart.BOOK, b"network")
        if found is None:
            values.write({BookPart.BOOK: [(b"format", FORMAT), (b"network", network)]})
        elif found != FORMAT:
            raise StoreDamaged("the checkpoints are not of this program's format")
        elif kept != network:
            raise OtherLedger("the checkpoints are another ledger's")

    @property
    def height(self) -> int:
        """How far the ledger has been gone through; -1 before the first block."""
        with self._values.reading() as reading:
            value = reading.get(BookPart.BOOK, b"height")
        return -1 if value is None else int.from_bytes(value, "big")

    def proceed(self, height: int, checkpoint: Checkpoint | None, change: CosignerChange | None) -> None:
        """Note that blocks up to `height` were gone through, and what was signed on the way."""
        self._values.write(
            {
                BookPart.BOOK: [(b"height", _u64(height))],
                BookPart.CHECKPOINTS: [] if checkpoint is None else [(_u64(checkpoint.size), checkpoint.encode())],
                BookPart.CHANGES: [] if change is None else [(_u64(change.number), change.encode())],
            }
        )

    def put(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, in place of the one of its size."""
        self._values.write({BookPart.CHECKPOINTS: [(_u64(checkpoint.size), checkpoint.encode())]})

    def put_change(self, change: CosignerChange) -> None:
        """Keep a change of the cosigners, in place of the one of its number."""
        self._values.write({BookPart.CHANGES: [(_u64(change.number), change.encode())]})

    def put_evidence(self, ours: Checkpoint, theirs: Checkpoint) -> None:
        """Keep two statements that cannot both be true."""
        pair = len(ours.encode()).to_bytes(4, "big") + ours.encode() + theirs.encode()
        self._values.write({BookPart.EVIDENCE: [(_u64(theirs.size), pair)]})

    def at(self, size: int) -> Checkpoint | None:
        """Return the checkpoint of a log size, or None."""
        with self._values.reading() as reading:
            value = reading.get(BookPart.CHECKPOINTS, _u64(size))
        return None if value is None else Checkpoint.decode(value)

    def newest(self, below: int | None = None) -> Checkpoint | None:
        """Return the checkpoint of the greatest log size (below `below`, if given), or None."""
        with self._values.reading() as reading:
            found = reading.before(BookPart.CHECKPOINTS, _END if below is None else _u64(below))
        return None if found is None else Checkpoint.decode(found[1])

    def since(self, size: int, limit: int = 256) -> list[Checkpoint]:
        """Return up to `limit` checkpoints whose size is at least `size`, ascending."""
        with self._values.reading() as reading:
            found = []
            for _, value in reading.range(BookPart.CHECKPOINTS, start=_u64(size)):
                found.append(Checkpoint.decode(value))
                if len(found) == limit:
                    break
        return found

    def changes(self) -> list[CosignerChange]:
        """Return every change of the cosigners, in order."""
        with self._values.reading() as reading:
            return [CosignerChange.decode(value) for _, value in reading.range(BookPart.CHANGES)]

    def evidence(self) -> list[tuple[Checkpoint, Checkpoint]]:
        """Return every (ours, theirs) that cannot both be true."""
        with self._values.reading() as reading:
            pairs = [value for _, value in reading.range(BookPart.EVIDENCE)]
        found = []
        for pair in pairs:
            end = 4 + int.from_bytes(pair[:4], "big")
            found.append((Checkpoint.decode(pair[4:end]), Checkpoint.decode(pair[end:])))
        return found

    def close(self) -> None:
        """Let go of the store."""
        self._values.close()


def memory_book(network: bytes) -> CheckpointBook:
    """Return an empty book in memory."""
    return CheckpointBook(MemoryKeyValues(), network)


def lmdb_book(folder: Path, network: bytes) -> CheckpointBook:
    """Open the book in `folder`, made if missing. Raises StoreLocked, StoreDamaged or OtherLedger."""
    values = LmdbKeyValues(folder, tuple(BookPart), map_bytes=MAP_BYTES)
    try:
        return CheckpointBook(values, network)
    except (StoreDamaged, OtherLedger):
        values.close()
        raise


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")
