"""Proofs and receipts: made against one Ed25519 verify, verified against `scitt-cose`; the log's append rate."""

import time
from collections.abc import Callable
from typing import Any

import scitt_cose
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core import checkpoint as checkpoints
from salus.core import receipt as receipts
from salus.core.log import Frontier
from salus.core.proof.leaf import TransactionLeaf
from salus.core.proof.merkle import EMPTY_ROOT, leaf_hash
from salus.core.proof.receipt import Receipt
from salus.core.proof.trust import Trust

LEAVES = 1 << 18
NETWORK = b"n" * 32

Figure = dict[str, Any]


def seconds(work: Callable[[], object], times: int) -> float:
    """The least CPU seconds of one call over five rounds: what others do on the machine only adds."""
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - start) / times)
    return min(rounds)


def figure(  # noqa: PLR0917 -- a row of the table
    name: str, value: float, unit: str, limit: float | None, ratio: float | None, budget: str, met: bool
) -> Figure:
    return {"name": name, "value": value, "unit": unit, "limit": limit, "ratio": ratio, "budget": budget, "met": met}


def run() -> list[Figure]:
    entries = [TransactionLeaf(n.to_bytes(32, "big"), b"s" * 32, 0, b"r" * 40).encode() for n in range(LEAVES)]
    hashes = [leaf_hash(entry) for entry in entries]
    start = time.process_time()
    log, nodes = Frontier().append(hashes)
    rate = LEAVES / (time.process_time() - start)
    private = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    public = private.public_key()
    key = public.public_bytes_raw()
    witness = Ed25519PrivateKey.from_private_bytes(b"w" * 32).public_key().public_bytes_raw()
    head = checkpoints.checkpoint_of(NETWORK, log, 1_700_000_000_000)
    signed = head.signed([(key, checkpoints.cosign(head, key, private.sign))])
    believed = Trust(NETWORK, 0, EMPTY_ROOT, 1, (("only", key),), (("outside", witness),), 0)
    index = 123_457

    def read(level: int, place: int) -> bytes:
        return nodes[level, place]

    made = receipts.receipt(read, entries[index], index, signed)
    data = made.encode()
    foreign, entry = made.cose_receipts()[0], entries[index].hex()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    message = b"m" * 200
    signature = private.sign(message)

    def ours() -> None:
        receipt = Receipt.decode(data)
        receipt.check_path()
        believed._require_cosigners(receipt.checkpoint)  # noqa: SLF001 -- one signature, as the other verifier checks

    def theirs() -> None:
        if not scitt_cose.verify_receipt(foreign, leaf_entry_hex=entry, log_public_key_pem=pem).ok:
            raise SystemExit("scitt-cose refuses our receipt")

    one_verify = seconds(lambda: public.verify(signature, message), 300)
    proving = seconds(lambda: receipts.receipt(read, entries[index], index, signed).encode(), 300)
    mine, other = seconds(ours, 200), seconds(theirs, 100)
    return [
        figure("log, leaves appended", rate, "/s", 250_000, rate / 250_000, ">= 250,000 /s", rate >= 250_000),
        figure(
            "receipt, made and encoded",
            proving * 1e6,
            "us",
            one_verify * 1e6,
            proving / one_verify,
            "<= 0.25 x one Ed25519 verify",
            proving <= one_verify / 4,
        ),
        figure(
            "receipt, decoded and verified",
            mine * 1e6,
            "us",
            other * 1e6,
            other / mine,
            ">= 4 x scitt-cose 0.5",
            other >= 4 * mine,
        ),
        figure("receipt, size with one cosignature", len(data), "bytes", None, None, "", True),
    ]


if __name__ == "__main__":
    for one in run():
        print(one)
