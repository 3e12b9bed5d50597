"""The state map, paged from LMDB: blocks of 1,000 at 10^4, 10^5 and 10^6 rows, against the hashes it cannot avoid.

The hashing floor is the number of tree nodes that a block changes, counted in the result, times the time of one inner
hash measured in the same run. Half of each block are new rows, half are changed ones.
"""

import hashlib
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import lmdb

from salus.core.map import Root, prove, update
from salus.core.proof.statemap import verify

SIZES = (10_000, 100_000, 1_000_000)
BLOCK = 1000
ROUNDS = 15
STEP = 20_000  # rows a version while the map is filled

Figure = dict[str, Any]


def hash_time() -> float:
    """Seconds of one inner hash of the map, its message put together from two children."""
    left, right, sha256 = b"l" * 32, b"r" * 32, hashlib.sha256
    start = time.process_time()
    for _ in range(5000):
        sha256(b"\x03" + left + right).digest()
    return (time.process_time() - start) / 5000


def nodes_changed(paths: list[bytes], rows: int) -> int:
    """Inner nodes above the paths in a map of `rows` random rows, and a leaf each: what no batching avoids."""
    depth = rows.bit_length() + 1
    prefixes = [int.from_bytes(path[:8], "big") for path in paths]
    return len(paths) + sum(len({prefix >> 64 - level for prefix in prefixes}) for level in range(depth))


def anonymous_mb() -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) // 1024


def figure(  # noqa: PLR0917 -- a row of the table
    name: str, value: float, unit: str, limit: float | None, budget: str, most: float | None
) -> Figure:
    ratio = None if limit is None else value / limit
    compared = value if ratio is None else ratio
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "limit": limit,
        "ratio": ratio,
        "budget": budget,
        "met": most is None or compared <= most,
    }


class Filled:
    """A map of random rows in LMDB."""

    def __init__(self, folder: str) -> None:
        self.env = lmdb.open(folder, map_size=16 << 30, sync=False, writemap=False)
        self.root = Root()
        self.rows = 0
        self.random = random.Random(1)
        self.known: list[bytes] = []

    def apply(self, changes: list[tuple[bytes, bytes]], *, durable: bool = False) -> tuple[float, float]:
        """Return the seconds of CPU before the commit, and of the clock with a durable commit."""
        clock = time.perf_counter()
        with self.env.begin(buffers=True) as reading:
            start = time.process_time()
            self.root, nodes = update(reading, self.root, self.root.version + 1, changes)
            spent = time.process_time() - start
        with self.env.begin(write=True) as writing:
            for key, value in nodes:
                writing.put(key, value, append=True)
        if durable:
            self.env.sync(True)
        return spent, time.perf_counter() - clock

    def fill(self, rows: int) -> None:
        while self.rows < rows:
            new = [(self.random.randbytes(32), b"v" * 32) for _ in range(min(STEP, rows - self.rows))]
            self.known += [path for path, _ in new[:BLOCK]]
            self.apply(new)
            self.rows += len(new)

    def block(self) -> list[tuple[bytes, bytes]]:
        half = BLOCK // 2
        changed = self.random.sample(self.known, half)
        new = [self.random.randbytes(32) for _ in range(half)]
        self.rows += half
        return [(path, self.random.randbytes(32)) for path in changed + new]


def run() -> list[Figure]:
    figures = []
    curve = []
    with tempfile.TemporaryDirectory() as folder:
        held = Filled(folder)
        for size in SIZES:
            held.fill(size)
            before, durable = [], []
            for _ in range(ROUNDS):
                block = held.block()
                floor = nodes_changed([path for path, _ in block], held.rows) * hash_time()
                spent, clock = held.apply(block, durable=True)
                before.append((spent / floor, spent, floor))
                durable.append((clock / floor, clock, floor))
            ratio, spent, floor = median(before)
            curve.append(ratio)
            name = f"state map, block of 1,000 at {size:,} rows"
            figures.append(
                figure(f"{name}, before the commit", spent * 1e3, "ms", floor * 1e3, "<= 4 x hashing floor", 4)
            )
            ratio, clock, floor = median(durable)
            figures.append(figure(f"{name}, durable", clock * 1e3, "ms", floor * 1e3, "<= 8 x hashing floor", 8))
        figures.append(
            figure("state map, growth of the ratio, 10^4 to 10^6", curve[-1] / curve[0], "x", None, "<= 1.25", 1.25)
        )
        figures.append(figure("state map, anonymous memory", anonymous_mb(), "MB", None, "< 300 MB", 300))
        figures.append(proving(held))
        held.env.close()
    return figures


def proving(held: Filled) -> Figure:
    with held.env.begin(buffers=True) as reading:
        paths = held.random.sample(held.known, 2000)
        for path in paths:  # the first reading maps the pages
            prove(reading, held.root, path)
        start = time.process_time()
        proofs = [prove(reading, held.root, path) for path in paths]
        made = (time.process_time() - start) / len(paths)
    start = time.process_time()
    for path, proof in zip(paths, proofs, strict=True):
        verify(proof, path, held.root.digest)
    verified = (time.process_time() - start) / len(paths)
    return figure("state map, proof made, pages mapped", made * 1e6, "us", verified * 1e6, "", None)


if __name__ == "__main__":
    for one in run():
        print(one)
