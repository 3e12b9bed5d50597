"""What a process held in memory must not reach the ledger's file: pages are filled before they are written."""

from pathlib import Path

import lmdb

from salus.engines.lmdbfile import LmdbKeyValues

MARK = b"CANARY-OF-THE-HEAP"


def dirty_heap() -> None:
    """Leave the mark in freed memory of the size of pages."""
    held = [(MARK * 8192)[: 4096 * (1 + number % 8)] for number in range(2_000)]
    copies = [bytearray(one) for one in held]
    del held, copies


def filled(environment: lmdb.Environment) -> None:
    for number in range(200):
        if number % 50 == 0:
            dirty_heap()
        with environment.begin(write=True) as transaction:
            transaction.put(number.to_bytes(4, "big"), bytes(700 + number))


def test_no_freed_memory_reaches_the_ledgers_file(tmp_path: Path) -> None:
    file = LmdbKeyValues(tmp_path / "ledger")
    filled(file._environment)
    file.close()
    assert MARK not in (tmp_path / "ledger" / "data.mdb").read_bytes()
