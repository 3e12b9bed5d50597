"""A batch of takes at the keeper of a plan year: with the year's book in memory, and with all its cells read again.

Figures are milliseconds of CPU for one batch, its root on the ledger included.
"""

import tempfile
import time
from pathlib import Path

import msgspec

from salus.agreements.claims.keeping import Amount, CellName, Take
from salus.contracts.membership.port import Role
from salus.node.claims import keeper
from salus.node.claims.keeper import OpenYear, open_year
from salus.node.together import Clock, Founder, found_together
from tests.agreements.claims.cases import PLAN

CELLS = 20_000
BATCH = 100
ROUNDS = 5


def run():
    founders = (Founder("harbor", "Harbor Health", (Role.PAYER,)),)
    with tempfile.TemporaryDirectory() as folder:
        together = found_together(Path(folder), founders, clock=Clock(lambda: 1_741_608_000_000))
        try:
            node = together.nodes["harbor"]
            open_year(node, OpenYear(plan=msgspec.json.encode(PLAN), payers=()))
            own = keeper.accumulators_of(node, PLAN)
            for start in range(0, CELLS, 1_000):
                own.take([_take(number, 0) for number in range(start, start + 1_000)])
            kept, read = [], []
            for turn in range(ROUNDS):
                kept.append(_batch(own, 2 * turn + 1))
                node.memory.clear()
                read.append(_batch(own, 2 * turn + 2))
        finally:
            together.close()
    anew = 1_000 * min(read)
    return [
        _figure(f"keeper: batch of {BATCH} takes, {CELLS} cells read again", anew, None),
        _figure(f"keeper: batch of {BATCH} takes, {CELLS} cells in memory", 1_000 * min(kept), anew),
    ]


def _take(number, turn):
    name = CellName(f"M{number}", "deductible", "member", "in", "20250101")
    id_ = number.to_bytes(8, "big") + turn.to_bytes(8, "big")
    return Take(id_, b"", (Amount(name, 1),), ())


def _batch(own, turn):
    takes = [_take(number * (CELLS // BATCH), turn) for number in range(BATCH)]
    begun = time.process_time()
    verdicts = own.take(takes)
    spent = time.process_time() - begun
    if set(verdicts) != {"taken"}:
        raise ValueError("a take was refused")
    return spent


def _figure(name, value, limit):
    ratio = None if limit is None else value / limit
    return {
        "name": name,
        "value": value,
        "unit": "ms of CPU",
        "limit": limit,
        "ratio": ratio,
        "budget": "",
        "met": True,
    }
