"""The vectors hold, and hold for a second implementation made from the specification alone."""

import hashlib
import hmac
import json
import re

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from salus.vault.envelope import Context, ReceiveKey, open_envelope
from tests.vault.make_vectors import FOLDER, all_vectors, hexed

SOURCES = FOLDER.parents[2] / "src" / "salus"
VAULT = [*(SOURCES / "vault").glob("*.py"), SOURCES / "agreements" / "grants.py"]


def load(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ["record", "disclosure", "grant", "wallet", "enrolment", "keystore", "opener"])
def test_the_code_gives_the_vectors(name):
    assert hexed(all_vectors()[name]) == load(name)


def test_the_kept_envelope_opens():
    kept = {name: bytes.fromhex(value) for name, value in load("envelope").items() if name not in ("sender", "purpose")}
    context = Context(kept["network"], b"north-hospital", "pull", kept["object_id"])
    key = ReceiveKey.from_seed(kept["receive_seed"])
    assert key.public == kept["receive_public"]
    assert open_envelope(kept["envelope"], context, key=key, sender_key=kept["sender_public"]) == kept["plaintext"]


# A second implementation: hashlib, hmac and AES, straight from docs/explain/keys-and-sealing.md.


def framed(label, *fields):
    out = bytes([len(label)]) + label.encode()
    for field in fields:
        out += len(field).to_bytes(4, "big") + field
    return out


def h(label, *fields):
    return hashlib.sha256(framed("salus/v1/" + label, *fields)).digest()


def m(key, label, *fields):
    return hmac.new(key, framed("salus/v1/" + label, *fields), "sha256").digest()


class Bytes(dict):
    def __getattr__(self, name):
        value = self[name]
        try:
            return bytes.fromhex(value)
        except (ValueError, TypeError):
            return value


def test_a_record_by_hand():
    v = Bytes(load("record"))
    header = b"\x01\x01" + v.link + bytes([len(v.writer)]) + v.writer.encode()
    assert header == v.header
    meta = msgspec.msgpack.encode([v.kind, v.type, v["id"], v.version, v.recorded, v.media, v.source])
    plain = len(meta).to_bytes(4, "big") + meta + len(v.body).to_bytes(4, "big") + v.body
    plain += bytes(2048 - len(plain))
    content = h("content", bytes([v.kind]), v.media.encode(), v.body)
    key = m(v.random[:32], "data-key", header, h("plaintext", meta, content))
    ciphertext = AESGCM(key).encrypt(bytes(12), plain, header)
    commitment = m(key, "key-commitment", header)
    assert v.previous == h("chain-start", v.link)
    chain = m(v.random[64:], "chain", (1).to_bytes(8, "big"), v.previous)
    leaf = m(v.random[32:64], "record-leaf", header, h("ciphertext", ciphertext), commitment, chain)
    assert v.sealed == header + commitment + chain + ciphertext
    assert (v.data_key, v.leaf) == (key, leaf)
    assert v.wrap == aes_key_wrap(m(v.link_secret, "wrap"), key)

    def node(left, right):
        return hashlib.sha256(b"\x01" + left + right).digest()

    a, b, c, d, e = (hashlib.sha256(b"\x00" + bytes.fromhex(one)).digest() for one in v["batch_leaves"])
    assert v.batch_root == node(node(node(a, b), node(c, d)), e)
    assert [bytes.fromhex(one) for one in v["batch_path"]] == [d, node(a, b), e]


def test_a_disclosure_by_hand():
    v = Bytes(load("disclosure"))
    assert v.leaf == m(m(v.salt, "disclosure-line", v.line), "disclosure-leaf", v.line[-32:])
    assert msgspec.msgpack.decode(v.line)[:4] == [1, 1, bytes(range(16)), 7]


def test_a_grant_by_hand():
    v = Bytes(load("grant"))
    root = bytes.fromhex(load("wallet")["root"])
    one_time = Ed25519PrivateKey.from_private_bytes(m(root, "one-time", bytes(8)))
    assert v.one_time_public == one_time.public_key().public_bytes_raw()
    assert v.grant_id == hashlib.sha256(v.one_time_public).digest()
    assert v.document_digest == h("grant-document", v.document)
    digests = [bytes.fromhex(one) for one in v["digests"]]
    assert digests[0] == m(v.document_salt, "grant-part", v.document)
    assert digests[1] == m(v.slip_salt, "grant-part", v.slip)
    assert (len(digests), v.commitment) == (8, h("grant-commitment", *digests))
    Ed25519PublicKey.from_public_bytes(v.link_public).verify(v.slip_signature, framed("salus/v1/slip", v.slip))


def test_a_wallets_file_by_hand():
    v = Bytes(load("wallet"))
    member, version = v.member.encode(), (4).to_bytes(8, "big")
    assert v.locator == m(v.root, "wallet-locator", member)
    link_key = Ed25519PrivateKey.from_private_bytes(m(v.root, "link-key", member, bytes(8)))
    assert v.link_public_0 == link_key.public_key().public_bytes_raw()
    padded = len(v.state).to_bytes(4, "big") + v.state
    padded += bytes(16 * 1024 - len(padded))
    random, named = v.file[2:34], v.file[34:66]
    assert (v.file[:2], named) == (b"\x01\x01", m(v.root, "wallet-state", member, padded))
    key = m(v.root, "wallet-file", member, version, random, named)
    assert v.file[66:] == AESGCM(key).encrypt(bytes(12), padded, v.locator + version)
    message = framed("salus/v1/wallet-put", v.locator, version, h("wallet-bytes", v.file))
    assert v.signature == Ed25519PrivateKey.from_private_bytes(m(v.root, "wallet-write", member)).sign(message)


def test_a_wrapped_root_by_hand():
    v = Bytes(load("opener"))
    member, secret = v.member.encode(), h("sheet-opener", v.code)
    assert v.passkey_locator == m(h("passkey-opener", v.prf), "opener-locator", member)
    assert v.locator == m(secret, "opener-locator", member)
    random, named = v.file[2:34], v.file[34:66]
    assert (v.file[:2], named) == (b"\x01\x01", m(v.root, "opener-root", member))
    key = m(secret, "opener-key", member, random, named)
    assert v.file[66:] == AESGCM(key).encrypt(bytes(12), v.root, v.locator)
    message = framed("salus/v1/wallet-put", v.locator, (1).to_bytes(8, "big"), h("wallet-bytes", v.file))
    assert v.signature == Ed25519PrivateKey.from_private_bytes(m(secret, "opener-write", member)).sign(message)
    number = int.from_bytes(v.code + h("sheet-check", v.code)[:3], "big") >> 4
    letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    told = "".join(letters[number >> 5 * at & 31] for at in range(35, -1, -1))
    assert v["sheet"].replace("-", "") == told


def test_an_enrolment_by_hand():
    v = Bytes(load("enrolment"))
    assert v.invitation_digest == h("invitation", v.invitation)
    assert v.certificate_digest == h("revocation-certificate", v.certificate)
    transcript = msgspec.msgpack.decode(v.transcript)
    assert transcript[3] == v.member_public
    assert transcript[5] == v.link_public
    assert transcript[8:10] == [v.invitation_digest, h("enrolment-claim", v.claim)]
    key = Ed25519PublicKey.from_public_bytes(v.link_public)
    key.verify(v.link_signature, framed("salus/v1/enrolment", v.transcript))
    data, signature = msgspec.msgpack.decode(v.signed_instruction)
    key.verify(signature, framed("salus/v1/instruction", data))


def test_an_envelope_by_hand():
    v = Bytes(load("envelope"))
    info = h("envelope", b"\x01\x01", v.network, v.sender.encode(), v.receive_public, v.purpose.encode(), v.object_id)
    assert v.info == info
    _, _, context, sealed, signature = msgspec.msgpack.decode(v.envelope)
    assert context == [v.network, b"north-hospital", "pull", v.object_id]
    Ed25519PublicKey.from_public_bytes(v.sender_public).verify(
        signature, framed("salus/v1/envelope-signature", info, sealed)
    )


def test_a_keystore_by_hand():
    v = Bytes(load("keystore"))
    head = v.file[:57]
    assert head[:10] == b"SALUSKEY\x01\x01"
    key = Scrypt(salt=head[13:45], length=32, n=1 << head[10], r=head[11], p=head[12]).derive(v.passphrase.encode())
    assert AESGCM(key).decrypt(head[45:], v.file[57:], head) == bytes.fromhex(v["keys"])


def test_the_specification_names_tests_and_files_that_exist():
    root = FOLDER.parents[2]
    page = (root / "docs" / "explain" / "keys-and-sealing.md").read_text()
    sources = "".join(path.read_text() for path in (root / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) >= 6
    assert [name for name in named if f"def {name}(" not in sources] == []
    assert [name for name in re.findall(r"`(\w+\.json)`", page) if not (FOLDER / name).exists()] == []
    labels = set(re.findall(r'"salus/v1/([a-z-]+)"', "".join(path.read_text() for path in VAULT)))
    assert sorted(label for label in labels if f'"{label}"' not in page) == []
