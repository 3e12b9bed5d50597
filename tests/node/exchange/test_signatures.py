"""HTTP message signatures: the RFCs' own vectors, then attacks that end in a named refusal."""

import base64
import threading
import time
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from salus.core.proof import ed25519
from salus.core.proof.httpsig import HttpRequest, content_digest, sign, signature_base
from salus.node.errors import Unauthenticated, Unavailable
from salus.node.exchange import signatures
from salus.node.exchange.signatures import Nonces, Signer, verify

NOW = 1_700_000_000_000
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
NONCE = "n" * 22


def keys(keyid):
    return [PUBLIC] if keyid == "st-anna" else []


def signed(method="POST", uri="https://b.example/exchange/pull?x=1", body=b"{}", also=(), **fields):
    request = HttpRequest(method, uri, fields, body)
    added = sign(request, KEY.sign, keyid="st-anna", now=NOW, nonce=NONCE, tag="salus-member", also=also)
    return replace(request, fields={**fields, **added})


def check(request, now=NOW, tag="salus-member", also=()):
    return verify(request, keys, now=now, tag=tag, also=also)


def test_rfc_9421_b_2_6_gives_the_published_signature_base():
    request = HttpRequest(
        "POST",
        "https://example.com/foo?param=Value&Pet=dog",
        {"date": "Tue, 20 Apr 2021 02:07:55 GMT", "content-type": "application/json", "content-length": "18"},
        b'{"hello": "world"}',
    )
    components = ("date", "@method", "@path", "@authority", "content-type", "content-length")
    parameters = '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"'
    key = base64.urlsafe_b64decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs=")
    published = base64.b64decode(
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )
    assert ed25519.verify(key, signature_base(components, parameters, request), published)


def test_rfc_9530_digest_of_the_published_body():
    assert content_digest(b'{"hello": "world"}') == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"


def test_what_is_signed_verifies_and_names_its_signer():
    assert check(signed()) == Signer("st-anna", NONCE, NOW // 1000 + 60)
    assert check(signed(also=("authorization",), authorization="x"), also=("authorization",)).keyid == "st-anna"


def with_field(name, change):
    request = signed()
    return replace(request, fields={**request.fields, name: change(request.fields[name])})


def without(name):
    request = signed()
    return replace(request, fields={key: value for key, value in request.fields.items() if key != name})


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (without("signature"), "form"),
        (without("signature-input"), "form"),
        (with_field("signature-input", lambda v: v + ";extra=1"), "form"),
        (with_field("signature-input", lambda v: v.replace("ed25519", "hmac-sha256")), "form"),
        (with_field("signature-input", lambda v: f"{v}, {v}"), "form"),
        (with_field("signature", lambda v: v.replace("=:", "=:AA", 1)), "form"),
        (with_field("signature-input", lambda v: v.replace(' "content-digest"', "")), "coverage"),
        (
            with_field("signature-input", lambda v: v.replace('"@method" "@target-uri"', '"@target-uri" "@method"')),
            "coverage",
        ),
        (with_field("signature-input", lambda v: v.replace("salus-member", "salus-person")), "coverage"),
        (with_field("signature-input", lambda v: v.replace("expires=1700000060", "expires=1700000061")), "time"),
        (with_field("signature-input", lambda v: v.replace("expires=1700000060", "expires=1699999999")), "time"),
        (replace(signed(), body=b"{ }"), "digest"),
        (without("content-digest"), "digest"),
        (replace(signed(), method="DELETE"), "invalid"),
        (replace(signed(), target_uri="https://c.example/exchange/pull?x=1"), "invalid"),
        (replace(signed(), target_uri="https://b.example/exchange/pull?x=2"), "invalid"),
        (with_field("signature-input", lambda v: v.replace(NONCE, "m" * 22)), "invalid"),
        (with_field("signature-input", lambda v: v.replace('"st-anna"', '"st-otto"')), "invalid"),
        (with_field("signature-input", lambda v: v.replace("expires=1700000060", "expires=1700000059")), "invalid"),
    ],
)
def test_whatever_is_changed_after_signing_is_refused_by_name(request_, code):
    with pytest.raises(Unauthenticated) as refused:
        check(request_)
    assert refused.value.code == f"signature.{code}"


def test_another_body_with_its_own_digest_is_refused():
    request = signed()
    forged = replace(request, body=b"[]", fields={**request.fields, "content-digest": content_digest(b"[]")})
    with pytest.raises(Unauthenticated, match=r"signature\.invalid"):
        check(forged)


def test_a_covered_field_cannot_be_dropped_or_changed():
    request = signed(also=("authorization",), authorization="Person a")
    changed = replace(request, fields={**request.fields, "authorization": "Person b"})
    with pytest.raises(Unauthenticated, match=r"signature\.invalid"):
        check(changed, also=("authorization",))
    dropped = replace(request, fields={k: v for k, v in request.fields.items() if k != "authorization"})
    for incomplete in (dropped, replace(request, fields={**request.fields, "authorization": "Person é"})):
        with pytest.raises(Unauthenticated, match=r"signature\.component"):
            check(incomplete, also=("authorization",))


@pytest.mark.parametrize(("off", "holds"), [(-16, False), (-15, True), (0, True), (60, True), (61, False)])
def test_it_holds_for_a_minute_and_a_little_before(off, holds):
    if holds:
        assert check(signed(), now=NOW + off * 1000)
    else:
        with pytest.raises(Unauthenticated, match=r"signature\.time"):
            check(signed(), now=NOW + off * 1000)


def test_a_request_is_taken_once():
    nonces = Nonces()
    nonces.use(check(signed()), NOW)
    with pytest.raises(Unauthenticated, match=r"signature\.replayed"):
        nonces.use(check(signed()), NOW)


def test_one_key_cannot_fill_the_memory_and_another_is_not_hindered(monkeypatch):
    monkeypatch.setattr(signatures, "NONCES_PER_KEY", 3)
    nonces = Nonces()
    for number in range(3):
        nonces.use(Signer("a", str(number), 1060), 1_000_000)
    with pytest.raises(Unavailable, match=r"signature\.too-many"):
        nonces.use(Signer("a", "3", 1060), 1_060_000)
    nonces.use(Signer("b", "0", 1060), 1_000_000)
    nonces.use(Signer("a", "4", 1121), 1_061_000)  # the others have expired
    with pytest.raises(Unauthenticated, match=r"signature\.replayed"):
        nonces.use(Signer("a", "4", 1121), 1_061_000)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_fields_give_a_signer_or_the_named_refusal(signature_input, signature):
    request = replace(signed(), fields={"signature-input": signature_input, "signature": signature})
    with pytest.raises(Unauthenticated):
        check(request)


def test_many_threads_use_one_nonce_once():
    nonces, taken = Nonces(), []

    nonces._seen["a"] = Slow()

    def use():
        try:
            nonces.use(Signer("a", "one", 1060), 1_000_000)
        except Unauthenticated:
            return
        taken.append(1)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(taken) == 1


class Slow(dict):
    """A dictionary that looks long enough for other threads to look as well."""

    def __contains__(self, key):
        found = super().__contains__(key)
        time.sleep(0.02)
        return found
