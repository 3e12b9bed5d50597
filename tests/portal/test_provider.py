"""Staff sign in at their organisation's OpenID provider: what it must say, and how its answers can be forged."""

import json
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.testclient import TestClient

from salus.node.config import Oidc
from salus.node.errors import Malformed
from salus.node.oidc import Provider, read_rules
from salus.portal.app import routes
from salus.portal.visiting import Pages

ISSUER = "https://login.north.example"
KEY = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()), {"kid": "1"})
OTHER = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()), {"kid": "1"})
CONFIG = Oidc(
    issuer=ISSUER, client_id="salus", roles="doctors=physician:TREAT+ETREAT, ward=nurse:TREAT", claim="groups"
)


class LoginServer:
    """The provider, in memory: answers honestly unless a test changes what it says."""

    def __init__(self):
        self.key, self.claims, self.document, self.status, self.asked = KEY, {}, {}, 200, {}
        self.nonce = ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("openid-configuration"):
            ends = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
            return httpx.Response(200, json={"issuer": ISSUER, **ends, **self.document})
        if request.url.path == "/jwks_uri":
            return httpx.Response(200, json={"keys": [{**KEY.as_dict(private=False), "kid": "1"}]})
        self.asked = dict(parse_qsl(request.content.decode()))
        now = self.now() // 1000
        claims = {
            "iss": ISSUER, "sub": "u-1", "aud": "salus", "exp": now + 60, "iat": now, "nonce": self.nonce,
            "groups": ["ward", "all"],
        } | self.claims  # fmt: skip
        token = jwt.encode({"alg": "ES256", "kid": "1"}, claims, self.key, algorithms=["ES256"])
        return httpx.Response(self.status, json={"id_token": token})


@pytest.fixture
def provider():
    return LoginServer()


@pytest.fixture
def site(north, provider):
    """The first member's pages, with the provider."""
    provider.now = north.node.now
    node = replace(north.node, config=msgspec.structs.replace(north.node.config, oidc=CONFIG))
    pages = Pages(node, secure=False, origin="http://site.test")
    http = httpx.Client(transport=httpx.MockTransport(provider))
    pages.__dict__["provider"] = Provider(node, "http://site.test", http)
    return TestClient(Starlette(routes=routes(pages)), base_url="http://site.test")


def begun(site, provider):
    sent = site.get("/sign-in/oidc", follow_redirects=False)
    told = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    provider.nonce = told["nonce"]
    return told


def done(site, told, **changes):
    answer = {"code": "c", "state": told["state"], "iss": ISSUER} | changes
    return site.get("/sign-in/oidc/done", params={name: value for name, value in answer.items() if value is not None})


def test_staff_enter_with_the_role_of_their_group(site, provider) -> None:
    assert "Sign in at work" in site.get("/sign-in").text
    told = begun(site, provider)
    assert (told["client_id"], told["code_challenge_method"], told["scope"]) == ("salus", "S256", "openid")
    entered = done(site, told)
    assert (entered.status_code, 'content="0; url=/"' in entered.text) == (200, True)
    assert provider.asked["code_verifier"]
    assert site.get("/").url.path == "/patients"
    assert site.get("/passkeys").status_code == 403
    assert "not for emergencies" in site.get("/emergency").text


FORGED = {
    "another key": ({}, {"key": OTHER}, {}),
    "another issuer": ({"iss": "https://evil.example"}, {}, {}),
    "another audience": ({"aud": "other"}, {}, {}),
    "two audiences without saying for whom": ({"aud": ["salus", "other"]}, {}, {}),
    "an old token": ({"exp": 1}, {}, {}),
    "a token from tomorrow": ({"iat": 4_000_000_000}, {}, {}),
    "another nonce": ({"nonce": "x"}, {}, {}),
    "nobody": ({"sub": ""}, {}, {}),
    "an endless name": ({"sub": "x" * 129}, {}, {}),
    "a mix-up of providers": ({}, {}, {"iss": "https://evil.example"}),
    "another state": ({}, {}, {"state": "00"}),
    "no code": ({}, {}, {"code": None, "error": "access_denied"}),
    "no issuer where one is promised": (
        {}, {"document": {"authorization_response_iss_parameter_supported": True}}, {"iss": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", FORGED)
def test_a_forged_answer_opens_nothing(site, provider, attack) -> None:
    provider.claims, changes, answer = FORGED[attack]
    for name, value in changes.items():
        setattr(provider, name, value)
    sent = done(site, begun(site, provider), **answer)
    assert (sent.status_code, "oidc.refused" in sent.text) == (401, True)
    assert site.get("/patients").url.path == "/sign-in"
    assert "salus-north" not in site.cookies


def test_an_answer_opens_nothing_in_another_browser_or_twice(site, provider) -> None:
    told = begun(site, provider)
    thief = TestClient(site.app, base_url="http://site.test")
    done(thief, told)
    assert thief.get("/patients").url.path == "/sign-in"
    told = begun(site, provider)
    done(site, told)
    site.post("/sign-out")
    site.cookies.delete("salus-north")
    done(site, told)
    assert site.get("/patients").url.path == "/sign-in"


def test_who_has_no_role_or_no_provider_answers_is_told_so(site, provider) -> None:
    provider.claims = {"groups": "visitors"}
    sent = done(site, begun(site, provider))
    assert (sent.status_code, "oidc.no-role" in sent.text) == (403, True)
    provider.status = 500
    sent = done(site, begun(site, provider))
    assert (sent.status_code, "oidc.unreachable" in sent.text) == (503, True)


@pytest.mark.parametrize("document", [{"issuer": "https://evil.example"}, {"token_endpoint": "http://evil.example"}])
def test_a_provider_that_says_it_is_another_is_not_followed(site, provider, document) -> None:
    provider.document = document
    sent = site.get("/sign-in/oidc", follow_redirects=False)
    assert (sent.status_code, "location" in sent.headers) == (503, False)


def test_without_a_provider_there_is_no_such_way(north) -> None:
    assert north.browser().get("/sign-in/oidc").status_code == 404
    assert "Sign in at work" not in north.browser().get("/sign-in").text


@pytest.mark.parametrize(
    "changes", [{"roles": "doctors"}, {"roles": ""}, {"client_id": ""}, {"issuer": "http://login.example"}]
)
def test_a_provider_named_by_half_is_refused(changes) -> None:
    with pytest.raises(Malformed):
        read_rules(msgspec.structs.replace(CONFIG, **changes))


def test_the_secret_goes_to_the_provider_alone(north, provider, tmp_path) -> None:
    (tmp_path / "secret").write_text("canary-secret\n")
    config = msgspec.structs.replace(CONFIG, client_secret_file=str(tmp_path / "secret"))
    node = replace(north.node, config=msgspec.structs.replace(north.node.config, oidc=config))
    seen = []
    http = httpx.Client(transport=httpx.MockTransport(lambda request: seen.append(request) or provider(request)))
    provider.now = north.node.now
    one = Provider(node, "http://site.test", http)
    address, browser = one.start("")
    told = dict(parse_qsl(urlsplit(address).query))
    provider.nonce = told["nonce"]
    one.finish({"code": "c", "state": told["state"]}, browser)
    assert "canary-secret" not in address
    assert [request.url.path for request in seen if "authorization" in request.headers] == ["/token_endpoint"]
    assert json.dumps(told).count("salus") >= 1
