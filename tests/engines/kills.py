"""Run by `test_crash.py` in a process of its own: kills a child that submits, again and again, and looks what is left.

The parent has no threads, so it may fork; a child opens the ledger, sends what the last one sent once more and new
transactions after it, and tells each acknowledgement through a pipe until it is killed.
"""

import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

from salus.core.kernel import Kernel
from salus.engines.embedded import Embedded, found
from salus.engines.replay import replay
from salus.engines.store import lmdb_store
from tests.engines import small

TOGETHER = 120


def submit(folder, wires, clock, out):
    """The child: never returns."""
    engine = Embedded(lmdb_store(folder), Kernel(small.REGISTRY), clock)

    def tell(future, at):
        outcome = future.result()
        if outcome.applied:
            os.write(out, f"{at} {outcome.height} {outcome.index}\n".encode())

    for at, wire in enumerate(wires):
        engine.submit(wire).add_done_callback(lambda future, at=at: tell(future, at))
    signal.pause()


def main(folder, kills, seed):
    chosen = random.Random(seed)
    store = lmdb_store(folder)
    kernel = Kernel(small.REGISTRY)
    header = found(store, kernel, small.document(), small.START)
    network = store.chain().network
    store.close()
    acknowledged, sent, before = {}, 0, []
    for _ in range(kills):
        time = header.time
        new = [small.sign(network, small.Note(os.urandom(8), b"x"), time=time) for _ in range(TOGETHER)]
        wires = before + new
        ids = [kernel.decode(wire).id for wire in wires]
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            submit(folder, wires, small.Clock(header.time), writing)
        os.close(writing)
        enough = chosen.randrange(1, TOGETHER)
        heard = b""
        while heard.count(b"\n") < enough and (chunk := os.read(reading, 4096)):
            heard += chunk
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while chunk := os.read(reading, 4096):
            heard += chunk
        os.close(reading)
        for line in heard.splitlines():
            at, height, index = map(int, line.split())
            acknowledged[ids[at]] = (height, index)
        sent, before = sent + len(new), new
        store = lmdb_store(folder)
        header = store.head()
        for tx_id, place in acknowledged.items():
            kept = store.place(tx_id)
            assert (kept.height, kept.index) == place, "an acknowledged transaction was lost"
        store.close()
    store = lmdb_store(folder)
    applied = Counter(
        entry[1:33]
        for index in range(store.head().log_size)
        if (entry := store.leaf(index))[0] == 1 and not any(entry[65:69])
    )
    replayed = replay(store, kernel)
    store.close()
    twice = sum(count > 1 for count in applied.values())
    sys.stdout.write(
        json.dumps(
            {
                "acknowledged": len(acknowledged),
                "sent": sent,
                "applied": len(applied),
                "twice": twice,
                "height": replayed.height,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
