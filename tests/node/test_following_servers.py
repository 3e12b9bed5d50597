"""A server that is busy, forgets tokens, has another clock, breaks off: what is asked of it, and how often."""

import json
from email.utils import formatdate
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from salus.contracts.membership.port import Role
from salus.node.attaching import OVERLAP_MS, follow
from salus.node.errors import EdgeError, Unavailable
from salus.node.fhir.presenting import instant
from salus.node.followed import PATIENCE_SECONDS, Server
from salus.node.together import Clock, Founder, found_together

URL = "https://ehr.example/fhir"
SOURCE = "urn:ehr"
AHEAD = 7_200_000  # two hours


class Hospital:
    """A FHIR server in memory. `answers` are given first to what begins with their path; `skew` is its clock's, in ms."""

    def __init__(self, clock, *, export=False, skew=0):
        self.clock, self.export, self.skew = clock, export, skew
        self.begun = clock() // 1000 * 1000
        self.resources = {"Patient": [patient("p1")], "Observation": [observation(n) for n in range(6)]}
        self.deleted = []
        self.answers = []
        self.asked = []
        self.tokens = set()
        self.key = None
        self.closed = False
        self.waited = []
        self.login = self.files = URL
        self.guarded = False
        self.shown = set()

    @property
    def now(self):
        return self.begun + self.skew

    def server(self, *also):
        client = httpx.Client(transport=httpx.MockTransport(self.answer))
        return Server(URL, client, self.clock, self.waited.append, also)

    def answer(self, request):
        path = request.url.raw_path.decode().removeprefix("/fhir/")
        self.asked.append(path)
        if "authorization" in request.headers:
            self.shown.add(request.url.host)
        date = {"date": formatdate(self.now / 1000, usegmt=True)}
        for at, (begins, status, headers) in enumerate(self.answers):
            if path.startswith(begins):
                del self.answers[at]
                return httpx.Response(status, headers={**date, **headers})
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        guarded = self.closed and (self.guarded or self.files == URL or not path.startswith("file"))
        if guarded and not path.startswith(("token", ".well")) and shown not in self.tokens:
            return httpx.Response(401, headers=date)
        told = self.told(path.partition("?")[0], request)
        if isinstance(told, httpx.Response):
            told.headers.update(date)
            return told
        return httpx.Response(404 if told is None else 200, headers=date, json=told or {})

    def told(self, path, request):
        kind, _, own = path.partition("/")
        at = int(request.url.params.get("page", 0))
        if path in {"token", "$export"}:
            return self.token(request) if path == "token" else self.begin()
        if path == "state":
            output = [{"type": one, "url": f"{self.files}/file/{one}"} for one in self.resources]
            told = {"transactionTime": "2026-01-01T00:00:00Z", "output": output}
            return {**told, "requiresAccessToken": self.guarded}
        if kind == "file":
            lines = "\n".join(json.dumps(one) for one in self.resources[own])
            return httpx.Response(200, text=lines)
        if kind in self.resources and own:
            return next((one for one in self.resources[kind] if one["id"] == own), None)
        if kind in self.resources:
            some = self.resources[kind][2 * at : 2 * at + 2]
            more = len(self.resources[kind]) > 2 * at + 2
            link = [{"relation": "next", "url": f"{URL}/{kind}?page={at + 1}"}] if more else []
            return {"resourceType": "Bundle", "link": link, "entry": [{"resource": one} for one in some]}
        rest = {"mode": "server", "resource": [{"type": one} for one in self.resources], "interaction": []}
        rest["interaction"].append({"code": "history-system"})
        return {
            ".well-known/smart-configuration": {"token_endpoint": f"{self.login}/token"},
            "metadata": {"resourceType": "CapabilityStatement", "rest": [rest]},
            "_history": {
                "resourceType": "Bundle", "entry": [{"request": {"method": "DELETE", "url": one}} for one in self.deleted]
            },
        }.get(path)  # fmt: skip

    def begin(self):
        return httpx.Response(202, headers={"content-location": f"{URL}/state"}) if self.export else None

    def token(self, request):
        (told,) = parse_qs(request.content.decode())["client_assertion"]
        claims = jwt.decode(told, self.key, algorithms=["ES384"]).claims
        if not self.now // 1000 < claims["exp"] <= self.now // 1000 + 300:
            return httpx.Response(400)
        self.tokens.add(f"t{len(self.tokens)}")
        return {"access_token": f"t{len(self.tokens) - 1}"}


def patient(own):
    return {"resourceType": "Patient", "id": own, "name": [{"family": "Muster"}]}


def observation(number):
    told = {"resourceType": "Observation", "id": f"o{number}", "status": "final", "code": {"text": "pulse"}}
    return {**told, "subject": {"reference": "Patient/p1"}}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def node(tmp_path, clock):
    found = found_together(tmp_path / "members", (Founder("clinic", "Clinic", (Role.PROVIDER,)),), clock=clock)
    yield found.nodes["clinic"]
    found.close()


@pytest.fixture
def hospital(clock):
    return Hospital(clock)


def test_a_busy_server_is_asked_again_when_it_says(node, hospital):
    later = {"retry-after": formatdate((hospital.now + 30_000) / 1000, usegmt=True)}
    hospital.answers = [("Obs", 429, {"retry-after": "7"}), ("Obs", 503, later), ("Patient", 503, {})]
    assert follow(node, hospital.server(), SOURCE).stored == 7
    assert hospital.waited == [1.0, 7.0, 30.0]


@pytest.mark.parametrize("named", [{}, {"retry-after": "soon"}], ids=["no time", "no number"])
def test_a_server_that_stays_busy_ends_the_run(node, hospital, named):
    hospital.answers = [("Observation?page=1", 503, named)] * 5
    with pytest.raises(Unavailable) as refused:
        follow(node, hospital.server(), SOURCE)
    assert refused.value.code == "attach.busy"
    assert hospital.waited == [1.0, 2.0, 4.0, 8.0]


def test_patience_has_an_end_that_is_not_waited_for(node, hospital):
    hospital.answers = [("Patient", 429, {"retry-after": str(int(PATIENCE_SECONDS) + 1)})]
    with pytest.raises(Unavailable, match=r"attach\.busy"):
        follow(node, hospital.server(), SOURCE)
    assert hospital.waited == []


def test_a_busy_export_is_waited_for(node, clock):
    hospital = Hospital(clock, export=True)
    hospital.answers = [
        ("$export", 429, {"retry-after": "3"}), ("state", 202, {"retry-after": "5"}), ("state", 429, {"retry-after": "9"}),
        ("file/Observation", 503, {"retry-after": "2"}),
    ]  # fmt: skip
    told = follow(node, hospital.server(), SOURCE)
    assert (told.way, told.stored) == ("export", 7)
    assert hospital.waited == [3.0, 5.0, 9.0, 2.0]


@pytest.fixture
def closed(hospital, tmp_path):
    hospital.closed = True
    hospital.key = ECKey.generate_key("P-384", {"kid": "1"})
    (tmp_path / "key.jwk").write_text(json.dumps(hospital.key.as_dict(private=True)))
    server = hospital.server()
    server.sign_in("salus", tmp_path / "key.jwk")
    return server


@pytest.mark.parametrize("export", [False, True])
def test_a_token_that_ends_is_renewed(node, hospital, closed, export):
    hospital.export = export
    hospital.answers = []
    ends = "file/Observation" if export else "Observation?page=1"
    answered = hospital.answer

    def forgetful(request):
        if ends in str(request.url) and len(hospital.tokens) == 1:
            hospital.tokens = {"gone"}
        return answered(request)

    closed._client = httpx.Client(transport=httpx.MockTransport(forgetful))
    assert follow(node, closed, SOURCE).stored == 7
    assert [one for one in hospital.asked if one == "token"] == ["token"] * 2


def test_a_server_that_takes_no_token_is_not_asked_for_ever(node, hospital, closed):
    hospital.answers = [("metadata", 401, {})] * 2
    with pytest.raises(Unavailable, match=r"attach\.answer"):
        follow(node, closed, SOURCE)
    assert [one for one in hospital.asked if one == "token"] == ["token"] * 2


@pytest.mark.parametrize("skew", [AHEAD, -AHEAD], ids=["ahead", "behind"])
def test_another_clock_signs_in_and_loses_nothing(node, hospital, closed, tmp_path, skew):
    hospital.skew = skew
    closed.sign_in("salus", tmp_path / "key.jwk")
    first = follow(node, closed, SOURCE)
    assert first.stored == 7
    follow(node, closed, SOURCE)
    (asked,) = {one.rpartition("ge")[2] for one in hospital.asked if "_lastUpdated=ge" in one}
    assert asked == first.until == instant(hospital.now - OVERLAP_MS)


def test_a_search_that_breaks_off_goes_on_from_its_page(node, hospital):
    hospital.answers = [("Observation?page=2", 500, {})]
    with pytest.raises(Unavailable, match=r"attach\.answer"):
        follow(node, hospital.server(), SOURCE)
    assert node.index.search.own("Observation/o3")
    hospital.asked.clear()
    told = follow(node, hospital.server(), SOURCE)
    assert (told.resumed, told.stored) == (True, 2)
    assert {one for one in hospital.asked if one.startswith(("Patient", "Obs"))} == {"Observation?page=2"}
    assert not follow(node, hospital.server(), SOURCE).resumed


def test_a_page_that_is_kept_no_longer_is_asked_from_the_first(node, hospital):
    hospital.answers = [("Observation?page=2", 500, {})]
    with pytest.raises(Unavailable):
        follow(node, hospital.server(), SOURCE)
    hospital.answers = [("Observation?page=2", 410, {})]
    told = follow(node, hospital.server(), SOURCE)
    assert (told.stored, told.unchanged) == (2, 4)


def test_an_export_that_breaks_off_goes_on_from_its_file(node, clock):
    hospital = Hospital(clock, export=True)
    hospital.answers = [("file/Observation", 503, {})] * 5
    with pytest.raises(Unavailable, match=r"attach\.busy"):
        follow(node, hospital.server(), SOURCE)
    hospital.asked.clear()
    told = follow(node, hospital.server(), SOURCE)
    assert (told.resumed, told.way, told.stored) == (True, "export", 6)
    assert [one for one in hospital.asked if one != "state"] == ["file/Observation"]


@pytest.mark.parametrize("gone", ["state", "file/Observation"])
def test_an_export_that_is_kept_no_longer_is_asked_for_anew(node, clock, gone):
    hospital = Hospital(clock, export=True)
    hospital.answers = [("file/Observation", 503, {})] * 5
    with pytest.raises(Unavailable):
        follow(node, hospital.server(), SOURCE)
    hospital.answers = [(gone, 404, {})]
    if gone != "state":
        with pytest.raises(Unavailable, match=r"attach\.answer"):
            follow(node, hospital.server(), SOURCE)
    told = follow(node, hospital.server(), SOURCE)
    assert (told.resumed, told.stored, told.unchanged) == (False, 6, 1)
    assert hospital.asked.count("$export") == 2


def test_a_run_of_other_types_or_anew_does_not_go_on(node, hospital):
    for more in ({"types": ("Patient",)}, {"anew": True}):
        hospital.answers = [("Observation?page=2", 500, {})]
        with pytest.raises(Unavailable):
            follow(node, hospital.server(), SOURCE)
        hospital.asked.clear()
        assert not follow(node, hospital.server(), SOURCE, **more).resumed
        assert "Patient?_count=200" in [one.partition("&_last")[0] for one in hospital.asked]


def test_after_a_failure_a_deletion_is_asked_about(node, hospital):
    follow(node, hospital.server(), SOURCE)
    hospital.deleted = ["Observation/o0", "Observation/o1"]
    del hospital.resources["Observation"][0]
    hospital.answers = [("_history", 500, {})]
    with pytest.raises(Unavailable):
        follow(node, hospital.server(), SOURCE)
    told = follow(node, hospital.server(), SOURCE)
    assert (told.resumed, told.deleted) == (True, 1)
    assert not node.index.search.own("Observation/o0")
    assert node.index.search.own("Observation/o1")


LOGIN, FILES = "https://login.example", "https://files.example"


@pytest.fixture
def spread(hospital, tmp_path):
    """A server that signs in at one host, and keeps an export's files at another."""
    hospital.closed, hospital.export = True, True
    hospital.login, hospital.files = f"{LOGIN}/fhir", f"{FILES}/fhir"
    hospital.key = ECKey.generate_key("P-384", {"kid": "1"})
    (tmp_path / "key.jwk").write_text(json.dumps(hospital.key.as_dict(private=True)))
    return hospital


@pytest.mark.parametrize(
    ("guarded", "shown"), [(False, {"ehr.example"}), (True, {"ehr.example", "files.example"})], ids=["open", "guarded"]
)
def test_named_hosts_are_asked_and_told_the_token_where_files_need_it(node, spread, tmp_path, guarded, shown):
    spread.guarded = guarded
    server = spread.server(LOGIN, FILES)
    server.sign_in("salus", tmp_path / "key.jwk")
    told = follow(node, server, SOURCE)
    assert (told.way, told.stored) == ("export", 7)
    assert spread.shown == shown


@pytest.mark.parametrize("also", [(), (FILES,), ("http://login.example",)])
def test_a_host_that_nobody_named_is_not_asked(spread, tmp_path, also):
    with pytest.raises(EdgeError) as refused:
        spread.server(*also).sign_in("salus", tmp_path / "key.jwk")
    assert refused.value.code in {"attach.elsewhere", "attach.url"}
    assert "token" not in spread.asked


def test_files_at_a_host_that_nobody_named_are_not_fetched(node, spread, tmp_path):
    server = spread.server(LOGIN)
    server.sign_in("salus", tmp_path / "key.jwk")
    with pytest.raises(Unavailable, match=r"attach\.elsewhere"):
        follow(node, server, SOURCE)
    assert not any(path.startswith("file") for path in spread.asked)
