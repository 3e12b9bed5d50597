"""Compute the vectors of the vault's formats: `python -m tests.vault.make_vectors` writes them.

A vector is a promise: a change of one gets its own commit and reason. What HPKE draws by itself cannot be repeated,
so an envelope is kept as bytes that must open.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.agreements import grants
from salus.agreements.grants import Document
from salus.core.encoding import encode
from salus.core.proof.batch import batch_path, batch_root
from salus.vault import enrolment, journal, sealing
from salus.vault.enrolment import Claim, Instruction
from salus.vault.envelope import Context, ReceiveKey, info_of, seal_envelope
from salus.vault.journal import Disclosure, Side
from salus.vault.keystore import Keys, save_keystore
from salus.vault.opener import Opener, write_sheet
from salus.vault.sealing import Content
from salus.vault.wallet import Given, Share, State, Tied, Wallet

FOLDER = Path(__file__).parents[1] / "vectors" / "vault"
NETWORK = bytes(range(32))
LINK = bytes(range(16))
SECRET = bytes(range(100, 132))
ROOT = bytes(range(32, 64))
MEMBER_SEED = bytes(range(64, 96))
RECEIVE_SEED = bytes(range(96, 128))


class Counting:
    """Randomness of a vector: 0, 1, 2, ... 255, 0, ..."""

    def __init__(self) -> None:
        self.at = 0

    def __call__(self, length: int) -> bytes:
        out = bytes((self.at + i) % 256 for i in range(length))
        self.at += length
        return out


def record():
    content = Content("Observation", "bp-1", b'{"resourceType":"Observation","id":"bp-1"}', source=bytes(32))
    header = sealing.header_of(LINK, "north-hospital")
    random = Counting()(96)
    previous = sealing.chain_start(LINK)
    fresh = sealing.seal(
        content,
        sealing.content_digest(content),
        header=header,
        wrapping=sealing.wrap_key(SECRET),
        version=1,
        recorded=1_800_000_000_000,
        sequence=1,
        previous=previous,
        random=random,
    )
    others = [bytes([i]) * 32 for i in range(1, 5)]
    leaves = [*others[:2], fresh.leaf, *others[2:]]
    return {
        "link": LINK,
        "link_secret": SECRET,
        "writer": "north-hospital",
        "kind": 1,
        "type": content.type,
        "id": content.id,
        "version": 1,
        "recorded": 1_800_000_000_000,
        "media": content.media,
        "source": content.source,
        "body": content.body,
        "random": random,
        "sequence": 1,
        "previous": previous,
        "header": header,
        "data_key": sealing.unwrap(sealing.wrap_key(SECRET), fresh.wrap),
        "sealed": fresh.sealed,
        "wrap": fresh.wrap,
        "salt": fresh.salt,
        "chain_salt": fresh.chain_salt,
        "leaf": fresh.leaf,
        "batch_leaves": leaves,
        "batch_root": batch_root(leaves),
        "batch_path": batch_path(leaves, 2),
    }


def disclosure():
    line = Disclosure(
        side=Side.CUSTODIAN,
        subject=LINK,
        member="south-clinic",
        person="pairwise-1",
        role="doctor",
        purpose="TREAT",
        action="serve",
        what=("Observation/bp-1/1",),
        grant=bytes(32),
        time=1_800_000_000_000,
    )
    data = encode(journal.detail_of(line, 7, line.time))
    return {"line": data, "salt": ROOT, "leaf": journal.disclosure_leaf(ROOT, data)}


def wallet():
    entropy = Counting()
    held = Wallet(ROOT, clock=lambda: 0, entropy=entropy)
    held.state = State(1, (Tied("north-hospital", LINK, SECRET, 0, 3, 0, b""),), (), 0)
    document = Document(1, NETWORK, "south-clinic", ("doctor",), ("TREAT",), 1_000, 2_000, ("NOREDISCLOSURE",))
    share = Share("north-hospital", ("general", "laboratory"), 0, 0, ("Observation?category=laboratory",))
    made, commitment, key = held.grant(document, [share], demographics=b"{}")
    part = made.parts[0]
    file, signature = held.seal_for("north-hospital", 4)
    granted = {
        "one_time_public": enrolment.public_of(key),
        "grant_id": grants.grant_id(enrolment.public_of(key)),
        "document": made.document,
        "document_salt": made.salt,
        "document_digest": grants.digest_of_document(made.document),
        "slip": part.signed.slip,
        "slip_signature": part.signed.signature,
        "slip_salt": part.salt,
        "slip_index": part.index,
        "link_public": enrolment.public_of(held.link_key("north-hospital")),
        "digests": list(made.digests),
        "commitment": commitment,
        "envelope_plaintext": encode(made),
    }
    state = {
        "root": ROOT,
        "member": "north-hospital",
        "locator": held.locator("north-hospital"),
        "write_public": enrolment.public_of(held.write_key("north-hospital")),
        "one_time_public_0": enrolment.public_of(held.one_time_key(0)),
        "one_time_public_1": enrolment.public_of(held.one_time_key(1)),
        "link_public_0": enrolment.public_of(held.link_key("north-hospital", 0)),
        "version": 4,
        "state": encode(State(1, held.state.links, (Given(0, made, revoked=False),), 1)),
        "file": file,
        "signature": signature,
    }
    return granted, state


def enrolled():
    sign = Ed25519PrivateKey.from_private_bytes(MEMBER_SEED)
    link_key = Wallet(ROOT, clock=lambda: 0, entropy=Counting()).link_key("north-hospital")
    invitation = bytes(range(16))
    claim = Claim(1, invitation, ReceiveKey(RECEIVE_SEED).public, enrolment.public_of(link_key), b"", b"")
    transcript, _ = enrolment.seal_welcome(
        claim, secret=SECRET, network=NETWORK, member="north-hospital", sign=sign, link=LINK, time=1_800_000_000_000
    )
    instruction = Instruction(1, NETWORK, "north-hospital", LINK, 4, "erase", b"")
    return {
        "invitation": invitation,
        "invitation_digest": enrolment.invitation_digest(invitation),
        "claim": encode(claim),
        "transcript": transcript,
        "member_public": enrolment.public_of(sign),
        "link_public": enrolment.public_of(link_key),
        "link_signature": link_key.sign(enrolment.transcript_message(transcript)),
        "certificate": b"certificate",
        "certificate_digest": enrolment.certificate_digest(b"certificate"),
        "signed_instruction": enrolment.sign_instruction(instruction, link_key),
    }


def envelope():
    sign, key = Ed25519PrivateKey.from_private_bytes(MEMBER_SEED), ReceiveKey(RECEIVE_SEED)
    context = Context(NETWORK, b"north-hospital", "pull", LINK)
    return {
        "receive_seed": RECEIVE_SEED,
        "receive_public": key.public,
        "network": NETWORK,
        "sender": "north-hospital",
        "sender_public": enrolment.public_of(sign),
        "purpose": "pull",
        "object_id": LINK,
        "info": info_of(context, key.public),
        "plaintext": b"a secret that travels",
        "envelope": seal_envelope(b"a secret that travels", context, recipient=key.public, sign=sign),
    }


def keystore():
    keys = Keys(1, "north-hospital", MEMBER_SEED, RECEIVE_SEED, SECRET, ROOT, NETWORK)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "keystore"
        save_keystore(path, keys, b"correct horse", entropy=Counting(), cost=14)
        return {"passphrase": "correct horse", "file": path.read_bytes(), "keys": encode(keys)}


def opener():
    code = Counting()(20)
    sheet = write_sheet(code)
    own = Opener.of_sheet(sheet)
    file, signature = own.seal_root("north-hospital", ROOT, 1, entropy=Counting())
    passkey = Opener.of_passkey(SECRET)
    return {
        "member": "north-hospital",
        "root": ROOT,
        "code": code,
        "sheet": sheet,
        "locator": own.locator("north-hospital"),
        "file": file,
        "signature": signature,
        "prf": SECRET,
        "passkey_locator": passkey.locator("north-hospital"),
    }


def all_vectors():
    """Return every vector by file name; bytes are written as hex."""
    granted, state = wallet()
    return {
        "record": record(),
        "disclosure": disclosure(),
        "grant": granted,
        "wallet": state,
        "enrolment": enrolled(),
        "envelope": envelope(),
        "keystore": keystore(),
        "opener": opener(),
    }


def hexed(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [hexed(one) for one in value]
    if isinstance(value, dict):
        return {name: hexed(one) for name, one in value.items()}
    return value


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, vector in all_vectors().items():
        (FOLDER / f"{name}.json").write_text(json.dumps(hexed(vector), indent=1) + "\n")
