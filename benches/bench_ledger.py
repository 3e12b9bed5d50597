"""The embedded ledger under load: signatures verified, executed, proven and durable, in blocks of 1 to 1,000.

Every transaction is submitted as bytes and waited for; blocks are limited to the size named, with enough waiting to
fill them. The limit is what one core verifies with nothing else to do, measured before and after each run.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from benches.ledger_load import genesis, mix, now, verify_rate
from salus.contracts.registry import REGISTRY
from salus.core.kernel import Kernel
from salus.engines.embedded import Embedded, found
from salus.engines.replay import replay
from salus.engines.store import lmdb_store

SIZES = {1: 600, 10: 2_000, 100: 6_000, 1_000: 12_000}
ROUNDS = 3
Figure = dict[str, Any]


def run() -> list[Figure]:
    figures = []
    for size, count in SIZES.items():
        rounds = [measure(size, count) for _ in range(ROUNDS)]
        signed, limit, transactions = sorted(rounds, key=lambda one: one[0] / one[1])[ROUNDS // 2]
        budgeted = size >= 100
        figures.append(
            {
                "name": f"embedded ledger, blocks of {size}",
                "value": signed,
                "unit": "signatures/s",
                "limit": limit,
                "ratio": signed / limit,
                "budget": ">= 0.5 x one core's Ed25519 rate" if budgeted else "",
                "met": not budgeted or signed / limit >= 0.5,
            }
        )
        figures.append(plain(f"embedded ledger, blocks of {size}, transactions", transactions, "tx/s"))
    figures.append(plain("replay of a ledger, compared with its store", replayed(), "tx/s"))
    return figures


def sized(size: int) -> type[Embedded]:
    """Return an engine whose blocks hold at most `size` transactions."""

    class Sized(Embedded):
        _batch = size

    return Sized


def plain(name: str, value: float, unit: str) -> Figure:
    return {"name": name, "value": value, "unit": unit, "limit": None, "ratio": None, "budget": "", "met": True}


def measure(size: int, count: int) -> tuple[float, float, float]:
    """Signatures a second, the limit of the same run, transactions a second."""
    kernel = Kernel(REGISTRY)
    with tempfile.TemporaryDirectory() as folder:
        store = lmdb_store(Path(folder) / "ledger")
        document, founded = genesis()
        found(store, kernel, document, founded)
        engine = sized(size)(store, kernel, now)
        live: list[Any] = []
        warm = mix(engine.network, 300, live)
        wait(engine, warm.wires)
        load = mix(engine.network, count, live)
        before = verify_rate()
        height, start = engine.head().height, time.perf_counter()
        wait(engine, load.wires)
        spent = time.perf_counter() - start
        if (engine.head().height - height) * size < count:
            raise ValueError("blocks were larger than they should be")
        engine.close()
    return load.signatures / spent, (before + verify_rate()) / 2, count / spent


def wait(engine: Embedded, wires: list[bytes]) -> None:
    for future in [engine.submit(wire) for wire in wires]:
        if not future.result(60).applied:
            raise ValueError(f"refused: {future.result().refusal}")


def replayed() -> float:
    kernel = Kernel(REGISTRY)
    with tempfile.TemporaryDirectory() as folder:
        store = lmdb_store(Path(folder) / "ledger")
        document, founded = genesis()
        found(store, kernel, document, founded)
        engine = Embedded(store, kernel, now)
        wait(engine, mix(engine.network, 3_000, []).wires)
        start = time.perf_counter()
        told = replay(store, kernel)
        spent = time.perf_counter() - start
        engine.close()
    return told.transactions / spent


if __name__ == "__main__":
    for one in run():
        print(one)
