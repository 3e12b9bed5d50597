import json
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from salus.core.proof import ed25519

P = 2**255 - 19
SMALL = json.loads((Path(__file__).parents[2] / "vectors/proof/small_order_keys.json").read_text())


def test_the_installed_library_judges_every_edge_as_the_rule_says():
    assert ed25519.self_test() == []


def test_the_self_test_names_what_a_library_judges_otherwise(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ed25519, "_L", 2**256)
    monkeypatch.setattr(ed25519, "_SMALL_ORDER", ())
    assert ed25519.self_test() == ["A the identity: R = B^0 and S = 0 verify for every message"]


@pytest.mark.parametrize("key", SMALL)
def test_no_encoding_of_a_small_order_point_is_a_key(key: str):
    assert not ed25519.is_strict_key(bytes.fromhex(key))


@given(st.integers(P, 2**255 - 1), st.booleans())
def test_no_key_that_is_not_canonical(y: int, sign: bool):
    assert not ed25519.is_strict_key((y | sign << 255).to_bytes(32, "little"))


def test_rfc_8032_test_2():
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert ed25519.verify(key, b"\x72", signature)
    assert not ed25519.verify(key, b"\x73", signature)


@given(st.integers(0, 95), st.integers(0, 7))
def test_a_flipped_bit_of_key_or_signature_is_refused(at: int, bit: int):
    private = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    both = bytearray(private.public_key().public_bytes_raw() + private.sign(b"message"))
    both[at] ^= 1 << bit
    assert not ed25519.verify(bytes(both[:32]), b"message", bytes(both[32:]))


@given(st.binary(max_size=40), st.binary(max_size=80), st.binary(max_size=40))
def test_any_bytes_may_be_asked_about(key: bytes, signature: bytes, message: bytes):
    assert not ed25519.verify(key, message, signature)


def test_a_library_without_ed25519_fails_the_self_test(monkeypatch: pytest.MonkeyPatch):
    def unsupported(*_: bytes) -> bool:
        raise UnsupportedAlgorithm("no Ed25519 here")

    monkeypatch.setattr(ed25519, "verify", unsupported)
    assert len(ed25519.self_test()) == len(ed25519.EDGES)
