"""A recorded workload, replayed to one digest: `python -m tests.contracts.workload FILE [twice] [planted]`.

Anchors, grants and revocations 60 : 30 : 10 by three members, with a refusal here and there and some governance.
`twice` executes every block two times and keeps the second outcome, as an engine does that checks a proposal first.
`planted` replays it once under each non-deterministic rule of `planted.py`. Prints {name: digest} as JSON.
"""

import hashlib
import json
import locale
import random
import sys
from pathlib import Path
from typing import Any

from salus.contracts.consent.port import Grant, Revoke, round_expiry
from salus.contracts.membership.port import Amend, Move, Propose, Role, RotateKeys, Vote
from salus.contracts.records.port import Anchor, OpenErasure, Rank
from salus.contracts.registry import REGISTRY
from salus.core.encoding import decode, encode
from salus.core.kernel import Block
from salus.core.rules import Registry

from .ledger import DAY, Ledger, genesis, possession, public, receive_key

FOUNDERS = ("hospital-a", "hospital-b", "insurer-c")
Recorded = tuple[bytes, list[tuple[int, list[bytes]]]]


def message(chance: random.Random, ledger: Ledger, number: int, live: list[str]) -> tuple[Any, str]:
    """Return the next message of the mix and its author."""
    roll = chance.random()
    if roll < 0.6:
        return Anchor(chance.randbytes(32), chance.randrange(13), deferred=chance.random() < 0.01), ""
    if roll < 0.89:
        live.append(f"key-{number}")
        return Grant(chance.randbytes(32), round_expiry(ledger.time + chance.randrange(900) * DAY, 7 * DAY)), live[-1]
    if roll < 0.99 and live:
        return Revoke(), live.pop(chance.randrange(len(live))) if chance.random() < 0.9 else live[0]
    return chance.choice(
        [
            OpenErasure(chance.randbytes(16), Rank.LINK_KEY),
            Move(f"https://node-{number}.example"),
            Propose(Amend("insurer-c", f"Insurer {number}", (Role.PAYER,), "DE")),
            Vote(bytes(32), approve=True),
        ]
    ), ""


def record(count: int, per_block: int, seed: int = 1) -> Recorded:
    """Return a genesis document and blocks of (time, wire transactions), `count` transactions in all."""
    chance = random.Random(seed)
    document = encode(genesis(*FOUNDERS))
    ledger = Ledger(keys={name: name for name in FOUNDERS})
    ledger.found(document, decode(document, type(genesis("x-y"))).time)
    blocks: list[tuple[int, list[bytes]]] = []
    live: list[str] = []
    for start in range(0, count, per_block):
        wires = []
        for number in range(start, min(start + per_block, count)):
            asked, author = message(chance, ledger, number, live)
            wires.append(ledger.wire(asked, chance.choice(FOUNDERS), author))
        if not start:
            new = "hospital-a-2"
            rotate = RotateKeys(public(new), receive_key(new), possession("hospital-a", new))
            wires.append(ledger.wire(rotate, "hospital-a"))
            ledger.keys["hospital-a"] = new
        time = ledger.time + 1000
        blocks.append((time, wires))
        ledger.chain = type(ledger.chain)(ledger.chain.network, 0, time, ledger.chain.state, ledger.chain.log)
    return document, blocks


def replay(recorded: Recorded, registry: Registry = REGISTRY, *, twice: bool = False, verify: bool = False) -> str:
    """Return one digest over every application hash, result and row that the workload gives."""
    document, blocks = recorded
    ledger = Ledger(registry)
    whole = hashlib.sha256()
    ledger.found(document, blocks[0][0] - 1000)
    for time, wires in blocks:
        transactions = tuple(ledger.kernel.decode(wire) for wire in wires)
        if verify:
            for transaction in transactions:
                ledger.kernel.authenticate(transaction)
        block = Block(ledger.chain.height + 1, time, transactions)
        if twice:
            ledger.kernel.transition(ledger.committed(), block)
        transition = ledger.take(ledger.kernel.transition(ledger.committed(), block))
        whole.update(transition.chain.app_hash)
        for result in transition.results:
            whole.update(result.code.to_bytes(4, "big") + result.data)
    for key, row in sorted(ledger.rows.items()):
        whole.update(key + row)
    return whole.hexdigest()


def main() -> None:
    locale.setlocale(locale.LC_ALL, "")
    path, *options = sys.argv[1:]
    recorded = decode(Path(path).read_bytes(), tuple[bytes, list[tuple[int, list[bytes]]]])
    twice = "twice" in options
    if "planted" in options:
        from .planted import PLANTED, with_plant  # noqa: PLC0415 - only where asked for

        told = {name: replay(recorded, with_plant(plant), twice=twice) for name, plant in PLANTED.items()}
    else:
        told = {"": replay(recorded, twice=twice)}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
