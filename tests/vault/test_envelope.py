import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.core.encoding import decode, encode
from salus.core.proof.digest import framed
from salus.vault.envelope import Context, Envelope, ReceiveKey, context_of, info_of, open_envelope, seal_envelope
from salus.vault.errors import EnvelopeRefused, TooLarge

SIGN = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
SIGN_PUBLIC = SIGN.public_key().public_bytes_raw()
KEY = ReceiveKey.from_seed(b"r" * 32)
ABOUT = Context(b"n" * 32, b"north", "pull", b"o" * 16)


def test_an_envelope_opens_for_its_reader():
    envelope = seal_envelope(b"secret", ABOUT, recipient=KEY.public, sign=SIGN)
    assert b"secret" not in envelope
    assert open_envelope(envelope, ABOUT, key=KEY, sender_key=SIGN_PUBLIC) == b"secret"
    assert context_of(envelope) == ABOUT


@pytest.mark.parametrize(
    ("field", "value"),
    [("network", b"m" * 32), ("sender", b"south"), ("purpose", "grant"), ("object_id", b"p" * 16)],
)
def test_an_envelope_for_something_else_is_refused_whatever_it_says(field, value):
    envelope = seal_envelope(b"secret", ABOUT, recipient=KEY.public, sign=SIGN)
    other = Context(**{name: getattr(ABOUT, name) for name in Context.__struct_fields__} | {field: value})
    with pytest.raises(EnvelopeRefused, match=field):
        open_envelope(envelope, other, key=KEY, sender_key=SIGN_PUBLIC)
    told = decode(envelope, Envelope)
    relabelled = encode(Envelope(told.format, told.algorithm, other, told.sealed, told.signature))
    with pytest.raises(EnvelopeRefused, match="not signed"):
        open_envelope(relabelled, other, key=KEY, sender_key=SIGN_PUBLIC)


def test_re_signing_somebody_elses_envelope_does_not_make_it_yours():
    envelope = seal_envelope(b"secret", ABOUT, recipient=KEY.public, sign=SIGN)
    thief = Ed25519PrivateKey.from_private_bytes(b"t" * 32)
    mine = Context(ABOUT.network, b"thief", ABOUT.purpose, ABOUT.object_id)
    sealed = decode(envelope, Envelope).sealed
    signature = thief.sign(framed("salus/v1/envelope-signature", (info_of(mine, KEY.public), sealed)))
    lifted = encode(Envelope(1, 1, mine, sealed, signature))
    with pytest.raises(EnvelopeRefused, match="does not open"):
        open_envelope(lifted, mine, key=KEY, sender_key=thief.public_key().public_bytes_raw())


def test_another_reader_and_another_sender_are_refused():
    envelope = seal_envelope(b"secret", ABOUT, recipient=KEY.public, sign=SIGN)
    with pytest.raises(EnvelopeRefused):
        open_envelope(envelope, ABOUT, key=ReceiveKey.from_seed(b"q" * 32), sender_key=SIGN_PUBLIC)
    with pytest.raises(EnvelopeRefused):
        open_envelope(envelope, ABOUT, key=KEY, sender_key=bytes(32))


@settings(max_examples=60)
@given(st.data())
def test_a_changed_envelope_is_refused(data):
    envelope = bytearray(seal_envelope(b"secret", ABOUT, recipient=KEY.public, sign=SIGN))
    at = data.draw(st.integers(0, len(envelope) - 1))
    envelope[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EnvelopeRefused):
        open_envelope(bytes(envelope), ABOUT, key=KEY, sender_key=SIGN_PUBLIC)


@given(st.binary(max_size=200))
def test_junk_is_refused_by_name(junk):
    for reader in (context_of, lambda data: open_envelope(data, ABOUT, key=KEY, sender_key=SIGN_PUBLIC)):
        with pytest.raises(EnvelopeRefused):
            reader(junk)


def test_an_unknown_algorithm_is_refused():
    told = decode(seal_envelope(b"x", ABOUT, recipient=KEY.public, sign=SIGN), Envelope)
    with pytest.raises(EnvelopeRefused, match="algorithm 2"):
        open_envelope(
            encode(Envelope(1, 2, told.context, told.sealed, told.signature)), ABOUT, key=KEY, sender_key=SIGN_PUBLIC
        )


def test_keys_that_are_not_keys_are_refused(monkeypatch):
    with pytest.raises(TooLarge):
        ReceiveKey.from_seed(b"short")
    for key in (b"short", b"\xff" * 1216):
        with pytest.raises(EnvelopeRefused):
            seal_envelope(b"x", ABOUT, recipient=key, sign=SIGN)
    monkeypatch.setattr("salus.vault.envelope.MAX_PLAINTEXT", 3)
    with pytest.raises(TooLarge):
        seal_envelope(b"four", ABOUT, recipient=KEY.public, sign=SIGN)


def test_x_wing_expands_its_seed_as_the_draft_says():
    """draft-connolly-cfrg-xwing-kem, appendix C, first vector: seed and the SHA-256 of its public key's parts."""
    seed = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    public = ReceiveKey.from_seed(seed).public
    assert public[:16].hex() == "e2236b35a8c24b39b10aa1323a96a919"
    assert len(public) == 1216
    assert hashlib.shake_256(seed).digest(96)[:32] != seed
