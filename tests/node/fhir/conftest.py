"""A hospital's node with a FHIR server, and what asks it."""

import json
from urllib.parse import urlencode

import pytest

from salus.contracts.membership.port import Role
from salus.node.fhir.answers import Request
from salus.node.fhir.server import FhirServer
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import LOCAL_OPERATOR, Caller, Kind

DOCTOR = Caller(Kind.PERSON, "north", "s-1", "physician", ("TREAT",))
CLERK = Caller(Kind.PERSON, "north", "s-2", "clerk", ("HPAYMT",))


class Asker:
    """Asks a server as one caller, in Python values."""

    def __init__(self, server, caller, purpose=""):
        self.server = server
        self.caller = caller
        self.purpose = purpose

    def __call__(self, method, path, body=None, **headers):
        path, _, query = path.partition("?")
        from urllib.parse import parse_qsl  # noqa: PLC0415 -- one use

        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.server.answer(self.caller, self.purpose, Request(method, path, pairs, raw, told))

    def get(self, path):
        return json.loads(self("GET", path).body)

    def search(self, kind, **parameters):
        return self.get(f"{kind}?{urlencode(parameters)}")

    def found(self, text):
        """Return the ids that a search finds over all its pages, having checked that its total is their number."""
        bundle = self.get(text)
        total, ids = bundle["total"], []
        while True:
            ids += [e["resource"]["id"] for e in bundle.get("entry", ()) if e["search"]["mode"] == "match"]
            following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
            if not following:
                break
            bundle = self.get(following[0].removeprefix(self.server.base + "/"))
        assert len(ids) == len(set(ids)) == total
        return set(ids)

    def create(self, body, **headers):
        answer = self("POST", body["resourceType"], body, **headers)
        assert answer.status == 201
        return json.loads(answer.body)


@pytest.fixture
def together(tmp_path):
    founders = (Founder("north", "North Hospital", (Role.PROVIDER,)),)
    found = found_together(tmp_path, founders, clock=Clock())
    yield found
    found.close()


@pytest.fixture
def server(together):
    return FhirServer(together.nodes["north"])


@pytest.fixture
def doctor(server):
    return Asker(server, DOCTOR)


@pytest.fixture
def operator(server):
    return Asker(server, LOCAL_OPERATOR)


@pytest.fixture
def clerk(server):
    return Asker(server, CLERK)
