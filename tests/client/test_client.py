"""The typed client: what is generated loads, asks and raises; a person's requests are signed."""

import base64
import sys
import time
from types import ModuleType

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey
from starlette.testclient import TestClient

from salus.cli import stubs
from salus.client import api as generated
from salus.client.node import Connection, Person, Refusal
from salus.http.app import application, as_operator
from salus.http.person import PersonAuthenticator
from salus.node import registry
from salus.node.config import Config
from salus.node.people import Confirmation, PersonClaims, issue, thumbprint
from salus.node.usecase import ANYONE, use_case
from tests.sample_cases import CASES, Nothing, SampleNode, find

URL = "http://127.0.0.1:8480"


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setattr(stubs, "use_cases", lambda: {case.name: case for case in CASES})
    module = ModuleType("generated_client")
    monkeypatch.setitem(sys.modules, "generated_client", module)
    exec(stubs.client(), module.__dict__)
    return module


@pytest.fixture
def connect(monkeypatch):
    def connected(node=None, authenticate=as_operator, person=None):
        connection = Connection(URL, person=person)
        connection.close()
        app = application(node or SampleNode(), CASES, authenticate)
        monkeypatch.setattr(connection, "_http", TestClient(app, base_url=URL, raise_server_exceptions=False))
        return connection

    return connected


def test_a_use_case_is_a_typed_method(api, connect):
    with connect() as connection:
        answer = api.Salus(connection).shape.make(
            api.Shape(patient="p", kind="round", content=b"xx", parts=(api.Part(name="a", size=1),))
        )
    assert answer == api.Shaped(
        echo="p round 1 False  None",
        digest=b"xx",
        parts=(api.Part(name="a", size=1),),
        first=api.Part(name="a", size=1),
    )


def test_the_client_knows_types_and_defaults(api):
    shape = api.Shape(patient="p", kind="round")
    assert (shape.count, shape.colour, shape.purposes, shape.sizes, shape.note) == (1, "red", (), msgspec.UNSET, None)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"patient": "p", "kind": "oval"}, api.Shape)


def test_a_refusal_has_its_code_and_what_to_do(api, connect):
    with pytest.raises(Refusal) as refused:
        api.Salus(connect()).shape.find(api.Nothing())
    told = refused.value
    assert (told.status, told.code, told.todo) == (404, "shape.unknown", "make one")
    assert str(told) == "shape.unknown: there is no such shape; expected a shape; got none; make one"


def test_a_person_signs_every_request(api, connect):
    key = Ed25519PrivateKey.generate()
    member = Ed25519PrivateKey.generate()
    public, member_public = (
        each.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        for each in (key, member)
    )
    pem = member.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    node = SampleNode(Config(member="st-anna"), {"st-anna": [member_public]})

    node.time = time.time_ns() // 1_000_000
    now = node.time // 1000
    credential = issue(
        PersonClaims("st-anna", "s-1", "nurse", (), Confirmation(thumbprint(public)), now, now + 3600),
        OKPKey.import_key(pem),
    )
    person = Person(credential, key.sign, base64.urlsafe_b64encode(public).rstrip(b"=").decode(), thumbprint(public))
    salus = api.Salus(connect(node, PersonAuthenticator(node), person))
    assert salus.caller.nurse(api.Nothing()).who == "person st-anna s-1 nurse"
    assert salus.caller.nurse(api.Nothing()).who == "person st-anna s-1 nurse"
    with pytest.raises(Refusal, match=r"http\.not-for-you"):
        salus.caller.operator(api.Nothing())


class Twin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another struct."""


Twin.__name__ = "Said"


def test_two_structs_of_one_name_are_refused(monkeypatch):
    def function(node, request: Nothing) -> Twin:
        """Do it."""

    twin = use_case("other.thing", who=ANYONE)(function)
    monkeypatch.setattr(stubs, "use_cases", lambda: {"a": find, "b": twin})
    with pytest.raises(ValueError, match="named Said"):
        stubs.client()


def test_the_generated_client_of_the_node_loads_and_asks(monkeypatch):
    connection = Connection(URL)
    connection.close()
    app = application(SampleNode(Config(member="st-anna")), registry.use_cases().values(), as_operator)
    monkeypatch.setattr(connection, "_http", TestClient(app, base_url=URL))
    assert generated.Salus(connection).about(generated.About()).member == "st-anna"
