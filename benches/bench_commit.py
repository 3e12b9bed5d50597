"""One transaction alone, from its bytes to its durable outcome, against the steps that cannot be left out."""

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benches.ledger_load import KEY, genesis, mix, now, rate, verify_rate, wire
from salus.contracts.records.port import Anchor
from salus.contracts.registry import REGISTRY
from salus.core.kernel import Kernel
from salus.engines.book import lmdb_book
from salus.engines.checkpoints import Cosigner, Cosigning
from salus.engines.embedded import Embedded, found
from salus.engines.receipts import Prover
from salus.engines.store import lmdb_store

COMMITS = 400
Figure = dict[str, Any]


def sync_seconds(folder: Path) -> float:
    """Median of one append of 4 KB with fdatasync."""
    descriptor = os.open(folder / "append", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    spent = []
    for _ in range(200):
        start = time.perf_counter()
        os.write(descriptor, bytes(4096))
        os.fdatasync(descriptor)
        spent.append(time.perf_counter() - start)
    os.close(descriptor)
    return median(spent)


def run() -> list[Figure]:
    kernel = Kernel(REGISTRY)
    message = os.urandom(300)
    with tempfile.TemporaryDirectory() as folder:
        store = lmdb_store(Path(folder) / "ledger")
        document, founded = genesis()
        found(store, kernel, document, founded)
        engine = Embedded(store, kernel, now)
        for future in [engine.submit(one) for one in mix(engine.network, 1_000, []).wires]:
            future.result(60)
        floor = sync_seconds(Path(folder)) + 1 / verify_rate() + 1 / rate(lambda: KEY.sign(message))
        spent = []
        for _ in range(COMMITS):
            one = wire(engine.network, Anchor(os.urandom(32), 6, deferred=False))
            start = time.perf_counter()
            outcome = engine.submit(one).result(10)
            spent.append(time.perf_counter() - start)
        figures = [figure("commit of one transaction, p50", median(spent), floor, "<= 10 x (sync + verify + sign)", 10)]
        figures.append(figure("commit of one transaction, p99", sorted(spent)[COMMITS * 99 // 100], floor, "", None))
        figures.append(receipt(engine, Path(folder), outcome.tx_id))
        engine.close()
    return figures


def receipt(engine: Embedded, folder: Path, tx_id: bytes) -> Figure:
    """The making of one receipt, once a checkpoint covers it."""
    book = lmdb_book(folder / "book", engine.network)
    cosigning = Cosigning(engine.store, book, keys={KEY.public_key().public_bytes_raw(): KEY.sign})
    cosigner = Cosigner(engine, cosigning)
    prover = Prover(engine.store, cosigning)
    prover.receipt(tx_id, timeout=5)
    made = 1 / rate(lambda: prover.receipt(tx_id).encode())
    cosigner.close()
    book.close()
    return figure("receipt by transaction id, from the store", made, 1 / verify_rate(), "", None)


def figure(name: str, value: float, limit: float, budget: str, most: float | None) -> Figure:
    return {
        "name": name,
        "value": value * 1e6,
        "unit": "us",
        "limit": limit * 1e6,
        "ratio": value / limit,
        "budget": budget,
        "met": most is None or value / limit <= most,
    }


if __name__ == "__main__":
    for one in run():
        print(one)
