"""The vault's write and read path on records of 2 KB, in records per CPU second of one core, durable.

The limit is what the primitives alone cost in the same run: two digests over the record, one AES-256-GCM, one key
wrap, four MACs, one read of the system's randomness.
"""

import hashlib
import hmac
import os
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from salus.agreements.grants import Document
from salus.core.encoding import encode
from salus.vault.sealing import Content
from salus.vault.served import receive
from salus.vault.vault import Vault
from salus.vault.wallet import Share, State, Tied, Wallet

RECORDS = 20_000
ONE_WRITE = 1_000
LINKS = 200
BODY = os.urandom(1_900)
ROUNDS = 3


def run():
    floor = max(_floor() for _ in range(ROUNDS))
    writes, opens, pulls = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            wrote, opened, pulled = _round(Path(folder) / "vault")
        writes.append(wrote)
        opens.append(opened)
        pulls.append(pulled)
    grant, size = _grant()
    return [
        _figure("vault: sealed, appended durably, batched", max(writes), "records/s", floor, 15_000),
        _figure("vault: opened and verified", max(opens), "records/s", floor, 20_000),
        _figure("vault: served under a grant and verified by its reader", max(pulls), "records/s", floor, None),
        {
            "name": "wallet: grant over 5 links",
            "value": grant * 1000,
            "unit": "ms CPU",
            "limit": None,
            "ratio": None,
            "budget": "<= 5 ms CPU",
            "met": grant <= 0.005,
        },
        {
            "name": "wallet: size of a grant over 5 links",
            "value": size,
            "unit": "bytes",
            "limit": None,
            "ratio": None,
            "budget": "<= 8 KB",
            "met": size <= 8 * 1024,
        },
    ]


def _figure(name, value, unit, floor, budget):
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "limit": floor,
        "ratio": value / floor,
        "budget": f">= {budget:,}/s per core" if budget else "",
        "met": budget is None or value >= budget,
    }


def _round(folder):
    with Vault(folder, member="north", key=b"k" * 32, clock=lambda: 1, entropy=os.urandom) as vault:
        links = vault.open_links([("mrn", str(i)) for i in range(LINKS)])
        items = [(links[i % LINKS], Content("Observation", f"o{i}", BODY)) for i in range(RECORDS)]
        start = time.process_time()
        for at in range(0, RECORDS, ONE_WRITE):
            vault.write_all(items[at : at + ONE_WRITE])
        batch = vault.next_batch()
        vault.anchored(batch.number, b"t" * 32, 1)
        wrote = RECORDS / (time.process_time() - start)
        start = time.process_time()
        vault.open_many(range(1, RECORDS + 1))
        opened = RECORDS / (time.process_time() - start)
        start = time.process_time()
        for served in vault.seal_for_pull(range(1, 2_001)).records:
            receive(served)
        return wrote, opened, 2_000 / (time.process_time() - start)


def _floor():
    key, text = os.urandom(32), os.urandom(2_048)
    start = time.process_time()
    for _ in range(5_000):
        hashlib.sha256(text).digest()
        hashlib.sha256(AESGCM(key).encrypt(bytes(12), text, key)).digest()
        aes_key_wrap(key, key)
        for _ in range(4):
            hmac.digest(key, key, "sha256")
        os.urandom(96)
    return 5_000 / (time.process_time() - start)


def _grant():
    wallet = Wallet(b"r" * 32, clock=lambda: 1, entropy=os.urandom)
    ties = tuple(Tied(f"member-{i}", os.urandom(16), os.urandom(32), 0, 0, 0, b"") for i in range(5))
    wallet.state = State(1, ties, (), 0)
    Ed25519PrivateKey.from_private_bytes(b"w" * 32).sign(b"warm")
    document = Document(1, b"n" * 32, "south", ("doctor",), ("TREAT",), 0, 10, ())
    shares = [Share(tie.member, ("general", "medication", "laboratory")) for tie in ties]
    start = time.process_time()
    for _ in range(50):
        made, _, _ = wallet.grant(document, shares)
    return (time.process_time() - start) / 50, len(encode(made))
