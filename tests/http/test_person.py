"""Who a person is: the member's credential and the person's own signature, and how each can be attacked."""

import base64
from itertools import count

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import OKPKey
from starlette.testclient import TestClient

from salus.core.proof.httpsig import HttpRequest, sign
from salus.http.app import application
from salus.http.person import ALSO, TAG, PersonAuthenticator
from salus.node.config import Config
from salus.node.people import LIFETIME_SECONDS, Confirmation, PersonClaims, issue, thumbprint
from tests.sample_cases import CASES, SampleNode

NONCES = (f"{number:022d}" for number in count())
NOW = 1_700_000_000


def pair(seed):
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return key, key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


MEMBER, MEMBER_PUBLIC = pair(1)
OTHER, _ = pair(2)
PERSON, PERSON_PUBLIC = pair(3)
THIEF, THIEF_PUBLIC = pair(4)


def jwk(key):
    return OKPKey.import_key(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def claims(**changes):
    told = {
        "iss": "st-anna",
        "sub": "s-1",
        "role": "nurse",
        "purposes": ("TREAT",),
        "cnf": Confirmation(thumbprint(PERSON_PUBLIC)),
        "iat": NOW,
        "exp": NOW + LIFETIME_SECONDS,
    }
    return PersonClaims(**{**told, **changes})


def headers(credential, *, key=PERSON, public=PERSON_PUBLIC, body=b"{}", now=NOW, keyid=None, path="/api/caller/nurse"):
    shown = {
        "authorization": f"Person {credential}",
        "salus-person-key": base64.urlsafe_b64encode(public).rstrip(b"=").decode(),
    }
    request = HttpRequest("POST", f"http://127.0.0.1:8480{path}", shown, body)
    return {
        **shown,
        **sign(
            request, key.sign, keyid=keyid or thumbprint(public), now=now * 1000, nonce=next(NONCES), tag=TAG, also=ALSO
        ),
    }


@pytest.fixture
def node():
    return SampleNode(Config(member="st-anna"), {"st-anna": [MEMBER_PUBLIC], "st-otto": [pair(2)[1]]}, NOW * 1000)


@pytest.fixture
def ask(node):
    http = TestClient(application(node, CASES, PersonAuthenticator(node)), raise_server_exceptions=False)

    def post(shown, body=b"{}", path="/api/caller/nurse"):
        return http.post(path, content=body, headers=shown)

    return post


def test_rfc_8037_a_3_thumbprint():
    assert (
        thumbprint(base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="))
        == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )


def test_a_person_is_known_by_role_and_purpose_not_by_name(ask):
    answer = ask(headers(issue(claims(), jwk(MEMBER))))
    assert (answer.status_code, answer.json()) == (200, {"who": "person st-anna s-1 nurse TREAT"})


def test_another_role_is_forbidden_and_nobody_is_asked_to_sign(ask):
    answer = ask(headers(issue(claims(role="clerk"), jwk(MEMBER))))
    assert (answer.status_code, answer.json()["expected"]) == (403, "nurse or physician")
    assert ask({}).status_code == 401


def test_a_credential_lives_at_most_a_shift():
    with pytest.raises(ValueError, match="12 h"):
        issue(claims(exp=NOW + LIFETIME_SECONDS + 1), jwk(MEMBER))


def long_lived():
    too_long = claims(exp=NOW + LIFETIME_SECONDS + 1)
    return jws.serialize_compact(
        {"alg": "Ed25519", "typ": "salus-person"}, msgspec_json(too_long), jwk(MEMBER), algorithms=["Ed25519"]
    )


def msgspec_json(value):
    import msgspec  # noqa: PLC0415 -- one use

    return msgspec.json.encode(value)


ATTACKS = {
    "another member's signature": (lambda: headers(issue(claims(), jwk(OTHER))), "person.credential"),
    "a credential of another member": (lambda: headers(issue(claims(iss="st-otto"), jwk(OTHER))), "person.credential"),
    "a claim to be of another member": (
        lambda: headers(issue(claims(iss="st-otto"), jwk(MEMBER))),
        "person.credential",
    ),
    "no credential at all": (lambda: headers("nonsense"), "person.credential"),
    "another document of the member": (
        lambda: headers(
            jws.serialize_compact(
                {"alg": "Ed25519", "typ": "other"}, msgspec_json(claims()), jwk(MEMBER), algorithms=["Ed25519"]
            )
        ),
        "person.credential",
    ),
    "an expired credential": (lambda: headers(issue(claims(iat=NOW - 10, exp=NOW), jwk(MEMBER))), "person.expired"),
    "a credential from the future": (lambda: headers(issue(claims(iat=NOW + 60), jwk(MEMBER))), "person.expired"),
    "a credential for longer than a shift": (lambda: headers(long_lived()), "person.expired"),
    "a stolen credential with the thief's key": (
        lambda: headers(issue(claims(), jwk(MEMBER)), key=THIEF, public=THIEF_PUBLIC),
        "person.key",
    ),
    "a stolen credential with a stolen public key": (
        lambda: headers(issue(claims(), jwk(MEMBER)), key=THIEF),
        "signature.invalid",
    ),
    "a key that is none": (lambda: {**headers(issue(claims(), jwk(MEMBER))), "salus-person-key": "!"}, "person.key"),
    "a signature under another key's name": (
        lambda: headers(issue(claims(), jwk(MEMBER)), keyid="other"),
        "signature.invalid",
    ),
    "a signature for another route": (
        lambda: headers(issue(claims(), jwk(MEMBER)), path="/api/shape/make"),
        "signature.invalid",
    ),
    "a signature for another body": (lambda: headers(issue(claims(), jwk(MEMBER)), body=b"{ }"), "signature.digest"),
    "a signature of a minute ago": (lambda: headers(issue(claims(), jwk(MEMBER)), now=NOW - 61), "signature.time"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_ends_in_its_named_refusal_and_tells_nothing(ask, attack):
    make, code = ATTACKS[attack]
    answer = ask(make())
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert "who" not in answer.json()


def test_a_signed_request_is_taken_once(ask):
    shown = headers(issue(claims(), jwk(MEMBER)))
    assert ask(shown).status_code == 200
    answer = ask(shown)
    assert (answer.status_code, answer.json()["code"]) == (401, "signature.replayed")
