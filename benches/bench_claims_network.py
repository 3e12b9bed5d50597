"""Claims on four CometBFT nodes of this machine: submitted, accepted and decided, by batches under one signature.

What is measured is the ledger's part: a payer decides beside it, at the rate that `bench_claims` measures. All four nodes,
applications and engines, share the two cores.
"""

import os
import sys
from contextlib import ExitStack
from statistics import quantiles

from benches.bench_consortium import NAMES, Members
from benches.claims_member import serve
from salus.engines.cometbft.binary import find
from salus.engines.errors import EngineError

SECONDS = 60.0
BATCH = 100
OUTSTANDING = 2
PUBLISHED = 550
"""The best published network figure, of moved statuses."""
MOST_SECONDS = 2.0


def run(seconds=SECONDS):
    """Return claims decided a second and how long each took from submission, p95."""
    binary = find(os.environ)
    if binary is None:
        raise EngineError("CometBFT is not here: `salus engine install`")
    with ExitStack() as ends:
        members = Members(ends, binary, serve)
        members.all("seen", max(members.all("begin")))
        count = len(NAMES)
        words = [
            ("claims", NAMES[(place + 1) % count], NAMES[(place - 1) % count], seconds, BATCH, OUTSTANDING)
            for place in range(count)
        ]
        told = members.each(words)
    waits = []
    first, last = min(min(one["sent"].values()) for one in told), 0.0
    for place, one in enumerate(told):
        payer = told[(place + 1) % count]["decided"]
        waits += [payer[number] - sent for number, sent in one["sent"].items()]
        last = max(last, *payer.values())
    rate, slow = len(waits) * BATCH / (last - first), quantiles(waits, n=20)[-1]
    return [
        {
            "name": "claims on four nodes: submitted, accepted, decided",
            "value": rate,
            "unit": "claims/s",
            "limit": PUBLISHED,
            "ratio": rate / PUBLISHED,
            "budget": ">= 550 claims/s",
            "met": rate >= PUBLISHED,
        },
        {
            "name": "claims on four nodes: submission to committed decision, p95",
            "value": slow,
            "unit": "s",
            "limit": MOST_SECONDS,
            "ratio": slow / MOST_SECONDS,
            "budget": "< 2 s",
            "met": slow < MOST_SECONDS,
        },
        {
            "name": "claims on four nodes: application CPU a claim, each node",
            "value": sum(one["cpu"] for one in told) / count / (len(waits) * BATCH) * 1e6,
            "unit": "us",
            "limit": None,
            "ratio": None,
            "budget": "",
            "met": True,
        },
    ]


if __name__ == "__main__":
    for each in run(float(sys.argv[1])):
        sys.stdout.write(f"{each['name']}: {each['value']:.2f} {each['unit']}\n")
