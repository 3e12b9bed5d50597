"""A transaction is what its bytes say, or malformed."""

import hashlib

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.encoding import MalformedBytes, Message, encode
from salus.core.transaction import (
    MAX_WIRE_BYTES,
    Body,
    Envelope,
    build_body,
    decode_transaction,
    sign_as_author,
    sign_body,
    signing_bytes,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AUTHOR = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC, AUTHOR_PUBLIC = (key.public_key().public_bytes_raw() for key in (KEY, AUTHOR))


class Ask(Message, frozen=True, tag="test.ask"):
    data: bytes


BODY = Body(1, bytes(32), "member-a", PUBLIC, b"", 1_000, bytes(16), msgspec.Raw(encode(Ask(b"x"))))


def wire_of(body, submitter=bytes(64), author=b""):
    return encode(Envelope(encode(body), submitter, author))


def test_a_signed_transaction_decodes_to_its_parts():
    body = build_body(
        Ask(b"x"),
        network=bytes(32),
        submitter="member-a",
        submitter_key=PUBLIC,
        expiry=1_000,
        nonce=bytes(16),
        author_key=AUTHOR_PUBLIC,
    )
    transaction = decode_transaction(sign_body(body, KEY, author_signature=sign_as_author(body, AUTHOR)), Ask)
    assert transaction.message == Ask(b"x")
    assert transaction.id == hashlib.sha256(body).digest()
    KEY.public_key().verify(transaction.envelope.submitter_signature, signing_bytes(body, author=False))
    AUTHOR.public_key().verify(transaction.envelope.author_signature, signing_bytes(body, author=True))


def test_submitter_and_author_sign_under_labels_of_their_own():
    assert signing_bytes(b"body", author=True) != signing_bytes(b"body", author=False)


def test_the_digest_of_signatures_covers_both_and_the_id_neither():
    one = decode_transaction(wire_of(BODY, b"\1" * 64), Ask)
    two = decode_transaction(wire_of(BODY, b"\2" * 64), Ask)
    assert one.id == two.id
    assert one.signatures_digest != two.signatures_digest


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"version": 2}, "body version 2"),
        ({"network": bytes(31)}, "network of 31 bytes"),
        ({"submitter_key": bytes(33)}, "submitter key of 33"),
        ({"author_key": bytes(31)}, "author key of 31"),
        ({"author_key": bytes(32)}, "author signature of 0 bytes, expected 64"),
        ({"nonce": bytes(15)}, "nonce of 15"),
        ({"submitter": ""}, "submitter"),
        ({"submitter": "a" * 33}, "submitter"),
        ({"submitter": "ümlaut"}, "submitter"),
        ({"expiry": -1}, "expiry"),
        ({"expiry": 1 << 53}, "expiry"),
        ({"message": msgspec.Raw(encode(["test.other", b"x"]))}, "test.other"),
        ({"message": msgspec.Raw(b"\xc4\x01")}, "truncated"),
    ],
)
def test_a_body_that_breaks_a_limit_is_malformed(changes, told):
    with pytest.raises(MalformedBytes) as error:
        decode_transaction(wire_of(msgspec.structs.replace(BODY, **changes)), Ask)
    assert told in str(error.value)


@pytest.mark.parametrize(("submitter", "author"), [(bytes(63), b""), (bytes(64), bytes(64)), (b"", b"")])
def test_signatures_have_their_sizes(submitter, author):
    with pytest.raises(MalformedBytes, match="signature of"):
        decode_transaction(wire_of(BODY, submitter, author), Ask)


def test_a_message_in_a_second_form_is_malformed():
    body = msgspec.structs.replace(BODY, message=msgspec.Raw(b"\x92\xd9\x08test.ask\xc4\x01x"))
    with pytest.raises(MalformedBytes, match="canonical"):
        decode_transaction(wire_of(body), Ask)


def test_a_transaction_has_a_limit():
    with pytest.raises(MalformedBytes, match="at most 262144"):
        decode_transaction(bytes(MAX_WIRE_BYTES + 1), Ask)
