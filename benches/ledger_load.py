"""The load of the ledger benches: 60 % anchors, 30 % grants, 10 % revocations, by one member, signed beforehand."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.contracts.consent.port import Grant, Revoke, round_expiry
from salus.contracts.membership.port import Candidate, Genesis, Parameters, Role, possession_bytes
from salus.contracts.records.port import Anchor
from salus.core.encoding import encode
from salus.core.proof.ed25519 import verify
from salus.core.transaction import build_body, sign_as_author, sign_body

MEMBER = "hospital-a"
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"bench").digest())
PUBLIC = KEY.public_key().public_bytes_raw()
DAY = 86_400_000


@dataclass
class Load:
    """Signed transactions and how many signatures they carry."""

    wires: list[bytes]
    signatures: int


def now() -> int:
    return time.time_ns() // 1_000_000


def genesis() -> tuple[bytes, int]:
    """A ledger of one member, and the time of its founding."""
    receive = hashlib.shake_256(b"bench").digest(1216)
    member = Candidate(
        id=MEMBER,
        name="Hospital A",
        roles=(Role.PROVIDER,),
        jurisdiction="DE",
        endpoint="https://hospital-a.example",
        signing_key=PUBLIC,
        receive_key=receive,
        possession=KEY.sign(possession_bytes(MEMBER, PUBLIC, receive)),
    )
    founded = now()
    parameters = Parameters(agreement=hashlib.sha256(b"agreement").digest())
    return encode(Genesis(1, "bench", founded, 1, parameters, (member,))), founded


def wire(network: bytes, message: Any, author: Ed25519PrivateKey | None = None) -> bytes:
    body = build_body(
        message,
        network=network,
        submitter=MEMBER,
        submitter_key=PUBLIC,
        expiry=now() + 300_000,
        nonce=os.urandom(16),
        author_key=author.public_key().public_bytes_raw() if author else b"",
    )
    return sign_body(body, KEY, author_signature=sign_as_author(body, author) if author else b"")


def mix(network: bytes, count: int, live: list[Ed25519PrivateKey]) -> Load:
    """Transactions of the mix; a revocation revokes a grant of an earlier mix, kept in `live`, if there is one."""
    load = Load([], 0)
    fresh: list[Ed25519PrivateKey] = []
    for number in range(count):
        roll = number % 10
        if roll in {1, 4, 7} or (roll == 9 and not live):
            fresh.append(Ed25519PrivateKey.generate())
            grant = Grant(os.urandom(32), round_expiry(now() + 30 * DAY, 7 * DAY))
            load.wires.append(wire(network, grant, fresh[-1]))
        elif roll == 9:
            load.wires.append(wire(network, Revoke(), live.pop()))
        else:
            load.wires.append(wire(network, Anchor(os.urandom(32), 6, deferred=False)))
        load.signatures += 2 if roll in {1, 4, 7, 9} else 1
    live.extend(fresh)
    return load


def rate(work: Callable[[], Any], least: float = 0.4) -> float:
    """How often a second `work` can be done on one core, by the clock."""
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < least:
        for _ in range(50):
            work()
        count += 50
    return count / spent


def verify_rate() -> float:
    """Ed25519 verifications of 300 bytes a second on one core."""
    message = os.urandom(300)
    signature = KEY.sign(message)
    return rate(lambda: verify(PUBLIC, message, signature))
