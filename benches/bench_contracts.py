"""The contracts' own cost: authorise, apply and verify on the mix of 60 % anchors, 30 % grants, 10 % revocations.

The limit is one Ed25519 verification measured in the same run: every transaction pays one, an authored one two. The
mix is the recorded workload of the determinism tests; the least CPU time of five rounds is taken.
"""

import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.contracts.registry import REGISTRY
from salus.core.errors import Rejected
from salus.core.kernel import Block
from salus.core.proof.ed25519 import verify
from salus.core.rules import Context
from salus.core.tables import MemoryReader, Overlay, View
from salus.core.transaction import Transaction
from tests.contracts.ledger import Ledger
from tests.contracts.workload import record

TRANSACTIONS = 3_000
BLOCK = 1_000
ROUNDS = 5


def run() -> list[dict[str, Any]]:
    document, blocks = record(TRANSACTIONS, BLOCK)
    ledger = Ledger()
    ledger.found(document, blocks[0][0] - 1000)
    decoded = [(at, tuple(ledger.kernel.decode(wire) for wire in wires)) for at, wires in blocks]
    one_verify = min(_verify() for _ in range(ROUNDS))
    contracts = min(_contracts(ledger, decoded) for _ in range(ROUNDS))
    whole = min(_transitions(document, decoded) for _ in range(ROUNDS))
    return [
        _figure("contracts, a transaction of the mix", contracts, one_verify, "<= 0.4 x one verify", 0.4),
        _figure("kernel without signatures, a transaction of the mix in blocks of 1,000", whole, one_verify, "", None),
    ]


def _figure(name: str, value: float, limit: float, budget: str, most: float | None) -> dict[str, Any]:
    ratio = value / limit
    return {
        "name": name,
        "value": value * 1e6,
        "unit": "us CPU",
        "limit": limit * 1e6,
        "ratio": ratio,
        "budget": budget,
        "met": most is None or ratio <= most,
    }


def _verify() -> float:
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key().public_bytes_raw(), bytes(300)
    signature = key.sign(message)
    start = time.process_time()
    for _ in range(300):
        verify(public, message, signature)
    return (time.process_time() - start) / 300


def _contracts(ledger: Ledger, decoded: list[tuple[int, tuple[Transaction, ...]]]) -> float:
    """CPU seconds of authorise, apply and verify per transaction that is applied, without map and log."""
    rules = REGISTRY.versions[1]
    overlay = Overlay(View(MemoryReader(ledger.rows)))
    count, start = 0, time.process_time()
    for at, transactions in decoded:
        for transaction in transactions:
            body, own = transaction.body, Overlay(overlay)
            context = Context(1, at, body.submitter, body.author_key, transaction.id, own)
            try:
                rules.authorise(overlay, body.submitter, body.submitter_key)
                rules.rules[type(transaction.message)].handle(context, transaction.message)
            except Rejected:
                continue
            own.verify()
            overlay.absorb(own)
            count += 1
    return (time.process_time() - start) / count


def _transitions(document: bytes, decoded: list[tuple[int, tuple[Transaction, ...]]]) -> float:
    """CPU seconds of the whole transition per transaction, the rows and nodes in memory."""
    ledger = Ledger()
    ledger.found(document, decoded[0][0] - 1000)
    start = time.process_time()
    for height, (at, transactions) in enumerate(decoded, 1):
        ledger.take(ledger.kernel.transition(ledger.committed(), Block(height, at, transactions)))
    return (time.process_time() - start) / sum(len(transactions) for _, transactions in decoded)
