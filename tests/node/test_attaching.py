"""Following a FHIR server: by export and by search, from where it ended, deletions and refusals included."""

import json
import threading
import time

import pytest
import uvicorn
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from salus.contracts.membership.port import Role
from salus.http import smart
from salus.http.app import application, as_operator
from salus.http.fhir import routes
from salus.http.listening import open_listener
from salus.http.person import PersonAuthenticator
from salus.node.attaching import Attach, attach
from salus.node.errors import Malformed, Unavailable
from salus.node.fhir.policy import ADMINISTRATION
from salus.node.fhir.server import FhirServer
from salus.node.smart.authorising import AuthorisationServer
from salus.node.smart.clients import RegisterApp, register_app
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import LOCAL_OPERATOR
from tests.node.fhir.conftest import Asker


@pytest.fixture
def together(tmp_path):
    founders = [Founder(one, one.title(), (Role.PROVIDER,)) for one in ("north", "clinic")]
    made = found_together(tmp_path, tuple(founders), clock=Clock())
    yield made
    made.close()


class Served:
    """An application on a port of this machine."""

    def __init__(self, make):
        self.listening = open_listener("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(make(self.address), log_config=None, lifespan="off"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]}, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def end(self):
        self.server.should_exit = True
        self.thread.join(60)


@pytest.fixture
def north(together):
    node = together.nodes["north"]
    served = Served(lambda at: application(node, (), as_operator, more=routes(FhirServer(node, at), as_operator)))
    yield Asker(FhirServer(node, served.address), LOCAL_OPERATOR, ADMINISTRATION), f"{served.address}/fhir"
    served.end()


@pytest.fixture
def clinic(together):
    node = together.nodes["clinic"]
    return node, Asker(FhirServer(node), LOCAL_OPERATOR, ADMINISTRATION)


def observation(who, value):
    return {
        "resourceType": "Observation", "status": "final", "subject": {"reference": f"Patient/{who}"}, "code": {"text": "pulse"},
        "valueQuantity": {"value": value},
    }  # fmt: skip


def test_a_server_is_followed_by_export_from_where_it_ended(north, clinic):
    source, url = north
    node, here = clinic
    ada = source.create({"resourceType": "Patient", "name": [{"family": "Muster"}]})["id"]
    source("POST", "Observation", json.dumps(observation(ada, 70)).replace("70", "70.50").encode())
    first = attach.run(node, Attach(url=url, source="urn:ehr:north"))
    assert (first.way, first.since, first.stored, first.refused) == ("export", "", 2, 0)
    assert b"70.50" in here("GET", "Observation").body
    source.create(observation(ada, 71))
    second = attach.run(node, Attach(url=url, source="urn:ehr:north"))
    assert second.since == first.until
    assert here.get("Observation?_summary=count")["total"] == 2
    third = attach.run(node, Attach(url=url, source="urn:ehr:north", anew=True))
    assert (third.stored, third.unchanged) == (0, 3)


def test_a_server_without_export_is_searched_and_its_deletions_are_seen(clinic):
    node, here = clinic
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Muster"}]}
    found = {"Patient": [patient], "Observation": [{**observation("p1", n), "id": f"o{n}"} for n in range(3)]}
    deleted = []

    def metadata(_):
        resources = [{"type": kind} for kind in (*found, "Sorcery")]
        rest = {"mode": "server", "resource": resources, "interaction": [{"code": "history-system"}]}
        return JSONResponse({"resourceType": "CapabilityStatement", "rest": [rest]})

    def history(_):
        entries = [{"request": {"method": "DELETE", "url": one}} for one in deleted]
        return JSONResponse({"resourceType": "Bundle", "entry": entries})

    def search(request):
        at = int(request.query_params.get("page", 0))
        entries = found[request.path_params["kind"]]
        link = [{"relation": "next", "url": f"{request.url.path}?page={at + 1}"}] if at + 1 < len(entries) else []
        return JSONResponse({"resourceType": "Bundle", "link": link, "entry": [{"resource": entries[at]}]})

    paths = [Route("/metadata", metadata), Route("/_history", history), Route("/{kind}", search)]
    served = Served(lambda _: Starlette(routes=[Route("/$export", lambda _: JSONResponse({}, 404)), *paths]))
    try:
        first = attach.run(node, Attach(url=served.address))
        assert (first.way, first.stored, first.deletions) == ("search", 4, True)
        deleted += ["Observation/o1", "Observation/unknown", "nonsense"]
        found["Observation"] = [found["Observation"][0]]
        second = attach.run(node, Attach(url=served.address))
        assert (second.since, second.deleted) == (first.until, 1)
        assert {one["resource"]["id"] for one in here.get("Observation")["entry"]} == {"o0", "o2"}
        deleted.append("Observation/o0")  # and written again: the search finds it
        assert attach.run(node, Attach(url=served.address)).deleted == 0
        assert {one["resource"]["id"] for one in here.get("Observation")["entry"]} == {"o0", "o2"}
    finally:
        served.end()


def test_a_failure_half_way_is_asked_for_again(north, clinic):
    source, url = north
    node, _ = clinic
    source.create({"resourceType": "Patient"})
    with pytest.raises(Unavailable):
        attach.run(node, Attach(url=url.replace("/fhir", "/nowhere"), source="urn:ehr:north"))
    assert node.desk.followed("urn:ehr:north") == ""
    assert attach.run(node, Attach(url=url, source="urn:ehr:north")).stored == 1


@pytest.mark.parametrize("url", ["http://ehr.example/fhir", "ftp://127.0.0.1/x", "file:///etc/passwd", "nonsense"])
def test_an_address_that_is_not_safe_is_refused(clinic, url):
    with pytest.raises(Malformed, match=r"attach\.url"):
        attach.run(clinic[0], Attach(url=url))


@pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:9/next", "http://169.254.169.254/latest"])
def test_the_token_and_the_questions_go_to_no_other_host(clinic, elsewhere):
    def export(_):
        return JSONResponse({}, 202, headers={"content-location": elsewhere})

    served = Served(lambda _: Starlette(routes=[Route("/$export", export)]))
    try:
        with pytest.raises(Unavailable, match=r"attach\.elsewhere"):
            attach.run(clinic[0], Attach(url=served.address))
    finally:
        served.end()


def test_a_redirection_is_not_followed(clinic):
    served = Served(
        lambda _: Starlette(routes=[Route("/{rest:path}", lambda _: RedirectResponse("http://127.0.0.1:9/"))])
    )
    try:
        with pytest.raises(Unavailable, match=r"attach\.answer"):
            attach.run(clinic[0], Attach(url=served.address))
    finally:
        served.end()


@pytest.mark.parametrize("key", ["{}", "not json", '{"kty": "EC"}', ""])
def test_a_key_that_cannot_be_read_is_named(clinic, tmp_path, key):
    def told(_):
        return JSONResponse({"token_endpoint": "/token"})

    served = Served(lambda _: Starlette(routes=[Route("/.well-known/smart-configuration", told)]))
    (tmp_path / "key.jwk").write_text(key)
    try:
        with pytest.raises(Malformed, match=r"attach\.key"):
            attach.run(clinic[0], Attach(url=served.address, client="salus", key=str(tmp_path / "key.jwk")))
    finally:
        served.end()


def test_it_signs_in_as_a_backend_service_and_shows_the_token(together, clinic, tmp_path):
    node = together.nodes["north"]
    private = ECKey.generate_key("P-384", {"kid": "1", "alg": "ES384", "use": "sig"})
    keys = json.dumps({"keys": [private.as_dict(private=False)]}).encode()
    backend = {"role": "attach", "purposes": ("HOPERAT",), "scopes": "system/*.rs", "jwks": keys}
    register_app.run(node, RegisterApp(id="salus", name="Salus", member="clinic", **backend))
    (tmp_path / "key.jwk").write_text(json.dumps(private.as_dict(private=True)))
    writer = Asker(FhirServer(node), LOCAL_OPERATOR, ADMINISTRATION)
    writer.create({"resourceType": "Patient", "name": [{"family": "Muster"}]})

    def make(at):
        people = smart.BearerAuthenticator(node, PersonAuthenticator(node))
        more = [*smart.routes(AuthorisationServer(node, at)), *routes(FhirServer(node, at), people)]
        return application(node, (), people, more=more)

    served = Served(make)
    try:
        url = f"{served.address}/fhir"
        told = attach.run(clinic[0], Attach(url=url, client="salus", key=str(tmp_path / "key.jwk")))
        assert told.refused == 0
        with pytest.raises(Unavailable, match=r"attach\.(answer|export)"):
            attach.run(clinic[0], Attach(url=url))
    finally:
        served.end()
