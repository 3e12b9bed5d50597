"""Programs ask, people answer, tokens open what was allowed: SMART App Launch 2.2, and the ways to misuse it."""

import html
import json
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from salus.node.errors import EdgeError
from salus.node.signing_in import DismissPerson, dismiss
from salus.node.smart.clients import ListApps, RegisterApp, RemoveApp, list_apps, register_app, remove_app
from salus.node.smart.trying import AskToken, issue_token
from tests.portal.conftest import form, links

VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = "https://app.example/callback"
SCOPES = "launch launch/patient patient/*.rs user/*.cruds offline_access online_access"
VITALS = "patient/Observation.rs?code=8867-4"
KEY = ECKey.import_key(ec.generate_private_key(ec.SECP384R1()), {"kid": "k1"})
OTHER_KEY = ECKey.import_key(ec.generate_private_key(ec.SECP384R1()), {"kid": "k1"})


def jwks(*keys):
    return json.dumps({"keys": [{**key.as_dict(private=False), "kid": key.kid} for key in keys]}).encode()


@pytest.fixture(autouse=True)
def registered(north):
    """A public program and a backend service."""
    told = {"id": "growth", "name": "Growth chart", "member": "clinic", "scopes": SCOPES}
    register_app(north.node, RegisterApp(**told, redirect=(CALLBACK,), launch="https://app.example/launch"))
    service = {"id": "registry", "name": "Registry", "member": "clinic", "scopes": "system/Observation.rs"}
    register_app(north.node, RegisterApp(**service, jwks=jwks(KEY), role="registry", purposes=("TREAT",)))


def asking(north, client="growth", **changes):
    told = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": CALLBACK,
        "scope": "patient/*.rs launch/patient",
        "state": "s1",
        "aud": f"{north.origin}/fhir",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    return "/smart/authorize?" + urlencode({name: value for name, value in told.items() if value is not None})


def question(browser, address):
    """Follow a program's request to the page that asks; return its address."""
    led = browser.get(address)
    assert led.status_code == 200, led.text
    return re.search(r'url=([^"]+)"', led.text)[1]


def answered(browser, page, path="/apps/allow", **more):
    """Answer the question on a page; return what the program gets told."""
    fields = form(page, path)
    ticked = [html.unescape(one) for one in re.findall(r'name="scope" value="([^"]+)" checked', page)]
    sent = browser.post(path, data={**fields, "scope": ticked, **more}, follow_redirects=False)
    assert sent.status_code == 303, sent.text
    target = urlsplit(sent.headers["location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == CALLBACK
    return {name: values[0] for name, values in parse_qs(target.query).items()}


def coded(north, browser=None, **changes):
    """Let the patient allow a program; return the program's answer."""
    browser = browser or north.patient()
    page = browser.get(question(browser, asking(north, **changes))).text
    return answered(browser, page)


def token(north, **form_):
    return north.browser().post("/smart/token", data=form_)


def exchanged(north, told, **changes):
    fields = {
        "grant_type": "authorization_code",
        "code": told["code"],
        "redirect_uri": CALLBACK,
        "client_id": "growth",
        "code_verifier": VERIFIER,
    } | changes
    return token(north, **fields)


def read(north, token_, path):
    return north.browser().get(f"/fhir/{path}", headers={"authorization": f"Bearer {token_}"})


def assertion(client="registry", key=KEY, *, alg="ES384", now=0, north=None, **changes):
    now = north.node.now() // 1000
    claims = {
        "iss": client, "sub": client, "aud": f"{north.origin}/smart/token", "exp": now + 60,
        "jti": sha256(str(changes).encode() + north.node.entropy(8)).hexdigest(),
    } | changes  # fmt: skip
    return jwt.encode({"alg": alg, "kid": "k1"}, claims, key, algorithms=[alg])


def signed(assertion_, **more):
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"client_assertion_type": kind, "client_assertion": assertion_, **more}


# What works ---------------------------------------------------------------------------------------------------------


def test_discovery_says_where_and_how(north) -> None:
    told = north.browser().get("/fhir/.well-known/smart-configuration", headers={"origin": "https://app.example"})
    document = told.json()
    assert told.headers["access-control-allow-origin"] == "*"
    assert document["authorization_endpoint"] == f"{north.origin}/smart/authorize"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert {"launch-ehr", "launch-standalone", "permission-v2"} <= set(document["capabilities"])
    security = north.browser().get("/fhir/metadata").json()["rest"][0]["security"]
    assert security["extension"][0]["extension"][1] == {"url": "token", "valueUri": f"{north.origin}/smart/token"}


def test_a_patients_app_reads_that_patient_alone_refreshes_and_is_stopped(north) -> None:
    browser = north.patient()
    told = coded(north, browser, scope=f"{VITALS} patient/Patient.r launch/patient offline_access")
    assert (told["state"], told["iss"]) == ("s1", north.origin)
    got = exchanged(north, told)
    assert (got.status_code, got.headers["cache-control"]) == (200, "no-store")
    first = got.json()
    assert (first["patient"], first["token_type"], "refresh_token" in first) == ("p1", "Bearer", True)
    assert read(north, first["access_token"], "Patient/p1").status_code == 200
    found = read(north, first["access_token"], "Observation?_total=accurate").json()
    assert (found["total"], {one["resource"]["resourceType"] for one in found["entry"]}) == (3, {"Observation"})
    assert read(north, first["access_token"], "Patient/p2").status_code == 404
    assert read(north, first["access_token"], "AllergyIntolerance").status_code == 403
    second = token(north, grant_type="refresh_token", refresh_token=first["refresh_token"], client_id="growth").json()
    assert second["refresh_token"] != first["refresh_token"]
    looked = browser.get("/my/looked?own=1").text
    assert "app growth" in looked
    page = browser.get("/apps").text
    assert "growth" in page
    browser.post("/apps/stop", data=form(page, "/apps/stop"))
    assert read(north, second["access_token"], "Patient/p1").status_code == 401
    assert token(north, grant_type="refresh_token", refresh_token=second["refresh_token"], client_id="growth").json()[
        "error"
    ] == ("invalid_grant")


def test_staff_choose_the_patient_and_the_app_sees_no_other(north) -> None:
    browser = north.staff()
    where = question(browser, asking(north))
    page = browser.get(where).text
    assert "Find the patient first" in page
    page = browser.post("/apps/find", data={**form(page, "/apps/find"), "name": "canary"}).text
    chosen = re.search(r'name="patient" value="([^"]+)"', page)[1]
    got = exchanged(north, answered(browser, page, patient=chosen)).json()
    assert (got["patient"], got["need_patient_banner"]) == ("p1", True)
    assert read(north, got["access_token"], "Patient").json()["total"] == 1
    assert read(north, got["access_token"], "AllergyIntolerance").json()["total"] == 1
    assert read(north, got["access_token"], "Patient/p2").status_code == 404
    assert "refresh_token" not in got


def test_an_app_opens_from_a_chart_with_its_patient(north) -> None:
    browser = north.staff()
    page = browser.get("/patients")
    page = browser.post("/patients", data={**form(page.text, "/patients"), "name": "other"})
    apps = browser.get(links(page.text, "/chart/")[0] + "/apps")
    assert "https://app.example" in apps.headers["content-security-policy"]
    sent = browser.post("/apps/launch", data=form(apps.text, "/apps/launch"), follow_redirects=False)
    opened = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    assert opened["iss"] == f"{north.origin}/fhir"
    changes = {"scope": "launch patient/Patient.rs", "launch": opened["launch"]}
    page = browser.get(question(browser, asking(north, **changes))).text
    assert "whose chart you opened it from" in page
    got = exchanged(north, answered(browser, page)).json()
    assert got["patient"] == "p2"
    assert read(north, got["access_token"], "Patient/p1").status_code == 404
    thief = north.staff("nurse", ("TREAT",))
    taken = browser.post("/apps/launch", data=form(apps.text, "/apps/launch"), follow_redirects=False)
    launch = parse_qs(urlsplit(taken.headers["location"]).query)["launch"][0]
    stolen = thief.get(question(thief, asking(north, scope="launch patient/Patient.rs", launch=launch)))
    assert (stolen.status_code, "smart.launch" in stolen.text) == (401, True)


def test_a_stranger_signs_in_first_and_comes_back_to_the_question(north) -> None:
    browser = north.browser()
    where = question(browser, asking(north))
    page = browser.get(where)
    assert page.url.path == "/sign-in"
    fields = form(page.text, "/sign-in")
    code = parse_qs("")  # a link would bring one; here the session is opened as its redemption would
    assert code == {}
    assert fields["next"] == where.rpartition("/")[2]
    assert form(browser.get("/sign-in?next=https://evil.example").text, "/sign-in")["next"] == ""


def test_what_is_not_ticked_is_not_allowed(north) -> None:
    browser = north.patient()
    page = browser.get(question(browser, asking(north, scope="patient/Patient.r patient/Observation.rs"))).text
    told = answered(browser, page.replace('value="patient/Observation.rs" checked', ""))
    assert exchanged(north, told).json()["scope"] == "patient/Patient.r"
    page = browser.get(question(browser, asking(north))).text
    assert answered(browser, page, "/apps/deny") == {"error": "access_denied", "state": "s1", "iss": north.origin}


def test_staff_write_with_a_scope_for_it_and_only_what_it_names(north) -> None:
    browser = north.staff()
    page = browser.get(question(browser, asking(north, scope="user/Observation.cu user/Patient.r"))).text
    got = exchanged(north, answered(browser, page)).json()["access_token"]
    headers = {"authorization": f"Bearer {got}"}
    pulse = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/p1"},
    }
    http = north.browser()
    made = http.post("/fhir/Observation", json=pulse, headers=headers)
    assert made.status_code == 201, made.text
    own = made.json()["id"]
    assert http.get(f"/fhir/Observation/{own}", headers=headers).status_code == 403
    assert http.delete(f"/fhir/Observation/{own}", headers=headers).status_code == 403
    assert http.patch(f"/fhir/Observation/{own}", json=[], headers=headers).status_code == 403
    assert http.post("/fhir/Condition", json=pulse, headers=headers).status_code == 403
    sought = {**headers, "if-none-exist": "code=8867-4"}
    assert http.post("/fhir/Observation", json=pulse, headers=sought).status_code == 403
    entry = {"request": {"method": "DELETE", "url": f"Observation/{own}"}}
    for kind in ("transaction", "batch"):
        bundle = {"resourceType": "Bundle", "type": kind, "entry": [entry]}
        told = http.post("/fhir", json=bundle, headers=headers)
        assert "smart.scope" in told.text, kind
    changed = http.put(f"/fhir/Observation/{own}", json={**pulse, "id": own, "status": "amended"}, headers=headers)
    assert changed.status_code == 200


def test_a_backend_service_signs_for_itself(north) -> None:
    got = token(
        north,
        **signed(
            assertion(north=north),
            grant_type="client_credentials",
            scope="system/Observation.rs system/Patient.r",
        ),
    )
    told = got.json()
    assert (told["scope"], told["expires_in"]) == ("system/Observation.rs", 300)
    assert read(north, told["access_token"], "Observation?code=8867-4").json()["total"] == 3
    assert read(north, told["access_token"], "Patient").status_code == 403
    about = north.browser().post("/smart/introspect", data=signed(assertion(north=north), token=told["access_token"]))
    assert (about.json()["active"], about.json()["client_id"]) == (True, "registry")
    north.browser().post("/smart/revoke", data=signed(assertion(north=north), token=told["access_token"]))
    assert read(north, told["access_token"], "Observation").status_code == 401
    gone = north.browser().post("/smart/introspect", data=signed(assertion(north=north), token=told["access_token"]))
    assert gone.json() == {"active": False}


def test_an_operator_tries_the_server_with_a_token(north) -> None:
    with pytest.raises(EdgeError, match="no node runs"):
        issue_token(north.node, AskToken(subject="s", scope="user/*.rs", role="nurse", purposes=("TREAT",)))
    north.node.ticking = True
    try:
        got = issue_token(
            north.node, AskToken(subject="s", scope="patient/*.rs", patient="p2", role="nurse", purposes=("TREAT",))
        )
        for bad in ({"scope": "nonsense"}, {"patient": "p9"}, {"role": ""}):
            with pytest.raises(EdgeError):
                issue_token(
                    north.node,
                    AskToken(
                        **{"subject": "s", "scope": "patient/*.rs", "role": "nurse", "purposes": ("TREAT",)} | bad
                    ),
                )
    finally:
        north.node.ticking = False
    assert read(north, got.token, "Patient").json()["total"] == 1
    own = read(north, got.token, "Observation").json()["entry"]
    assert {one["resource"]["subject"]["reference"] for one in own} == {"Patient/p2"}


# What does not ------------------------------------------------------------------------------------------------------

NOT_ANSWERED = {
    "an unknown program": {"client": "nobody"},
    "another address": {"redirect_uri": "https://evil.example/callback"},
    "an address that begins like it": {"redirect_uri": CALLBACK + ".evil.example"},
    "an address with more behind it": {"redirect_uri": CALLBACK + "?x=1"},
    "no address": {"redirect_uri": None},
}


@pytest.mark.parametrize("attack", NOT_ANSWERED)
def test_no_browser_is_sent_where_a_program_is_not_registered(north, attack) -> None:
    sent = north.patient().get(asking(north, **NOT_ANSWERED[attack]), follow_redirects=False)
    assert sent.status_code in {400, 404}
    assert "location" not in sent.headers
    assert "evil.example" not in sent.text


def test_a_parameter_that_comes_twice_is_answered_nowhere(north) -> None:
    sent = north.patient().get(asking(north) + "&redirect_uri=https://evil.example", follow_redirects=False)
    assert (sent.status_code, "location" in sent.headers) == (400, False)


REFUSED = {
    "no state": ({"state": None}, "invalid_request"),
    "no PKCE": ({"code_challenge": None}, "invalid_request"),
    "plain PKCE": ({"code_challenge_method": "plain"}, "invalid_request"),
    "another audience": ({"aud": "https://other.example/fhir"}, "invalid_request"),
    "no audience": ({"aud": None}, "invalid_request"),
    "the implicit flow": ({"response_type": "token"}, "unsupported_response_type"),
    "scopes of a service": ({"scope": "system/*.rs"}, "invalid_scope"),
    "no scope that opens": ({"scope": "launch/patient openid"}, "invalid_scope"),
    "a chained scope": ({"scope": "patient/Observation.rs?patient.name=x"}, "invalid_scope"),
    "a scope with a modifier": ({"scope": "patient/Observation.rs?code:not=x"}, "invalid_scope"),
    "a made-up launch": ({"scope": "launch patient/*.rs", "launch": "ff" * 32}, "invalid_request"),
}


@pytest.mark.parametrize("attack", REFUSED)
def test_a_request_that_does_not_hold_is_told_so_to_the_program(north, attack) -> None:
    changes, error = REFUSED[attack]
    sent = north.patient().get(asking(north, **changes), follow_redirects=False)
    told = parse_qs(urlsplit(sent.headers["location"]).query)
    assert (sent.headers["location"].startswith(CALLBACK), told["error"], told["iss"]) == (
        True,
        [error],
        [north.origin],
    )


STOLEN = {
    "without the verifier": {"code_verifier": ""},
    "with another verifier": {"code_verifier": "w" * 43},
    "for another address": {"redirect_uri": "https://app.example/other"},
    "by another program": {"client_id": "thief"},
    "made up": {"code": "00" * 32},
}


@pytest.mark.parametrize("attack", STOLEN)
def test_a_stolen_code_brings_nothing(north, attack) -> None:
    told = {"id": "thief", "name": "Thief", "member": "clinic", "scopes": SCOPES, "redirect": (CALLBACK,)}
    register_app(north.node, RegisterApp(**told))
    answer = exchanged(north, coded(north), **STOLEN[attack])
    assert (answer.status_code, answer.json()["error"], "token" in answer.text) == (400, "invalid_grant", False)
    remove_app(north.node, RemoveApp(id="thief"))


def test_a_code_that_comes_twice_ends_what_it_brought(north) -> None:
    told = coded(north, scope="patient/Patient.rs offline_access")
    got = exchanged(north, told).json()
    assert read(north, got["access_token"], "Patient").status_code == 200
    assert exchanged(north, told).json()["error"] == "invalid_grant"
    assert read(north, got["access_token"], "Patient").status_code == 401
    again = token(north, grant_type="refresh_token", refresh_token=got["refresh_token"], client_id="growth")
    assert again.json()["error"] == "invalid_grant"


def test_a_code_lasts_a_minute_and_a_token_five(north) -> None:
    told = coded(north)
    north.together.clock.advance(61_000)
    assert exchanged(north, told).json()["error"] == "invalid_grant"
    got = exchanged(north, coded(north)).json()["access_token"]
    north.together.clock.advance(301_000)
    late = read(north, got, "Patient")
    assert (late.status_code, late.headers["www-authenticate"]) == (401, "Bearer")
    assert late.json()["issue"][0]["code"] == "login"


def test_a_refresh_token_that_comes_again_ends_everything(north) -> None:
    first = exchanged(north, coded(north, scope="patient/Patient.rs offline_access")).json()
    second = token(north, grant_type="refresh_token", refresh_token=first["refresh_token"], client_id="growth").json()
    stolen = token(north, grant_type="refresh_token", refresh_token=first["refresh_token"], client_id="growth")
    assert stolen.json()["error"] == "invalid_grant"
    for one in (first, second):
        assert read(north, one["access_token"], "Patient").status_code == 401
    again = token(north, grant_type="refresh_token", refresh_token=second["refresh_token"], client_id="growth")
    assert again.json()["error"] == "invalid_grant"


def test_a_refresh_narrows_and_never_widens(north) -> None:
    first = exchanged(north, coded(north, scope="patient/Patient.rs patient/Observation.rs offline_access")).json()
    wider = {"grant_type": "refresh_token", "client_id": "growth", "scope": "patient/Patient.rs user/*.rs"}
    second = token(north, **wider, refresh_token=first["refresh_token"]).json()
    assert second["scope"] == "patient/Patient.rs"
    assert read(north, second["access_token"], "Observation").status_code == 403


def test_a_refresh_that_is_refused_for_its_scope_spends_nothing(north) -> None:
    first = exchanged(north, coded(north, scope="patient/Patient.rs offline_access")).json()
    form_ = {"grant_type": "refresh_token", "client_id": "growth", "refresh_token": first["refresh_token"]}
    for scope in ("user/*.rs", "patient/Goal.rs", "nonsense"):
        assert token(north, **form_, scope=scope).json()["error"] == "invalid_scope"
    assert read(north, token(north, **form_).json()["access_token"], "Patient").status_code == 200


@pytest.mark.parametrize(("left", "told"), [("patient/Patient.rs", "patient/Patient.rs"), ("patient/Goal.rs", "")])
def test_a_refresh_brings_nothing_that_its_program_may_not_ask_any_more(north, left, told) -> None:
    first = exchanged(north, coded(north, scope=f"patient/Patient.rs {VITALS} offline_access")).json()
    known = {"id": "growth", "name": "Growth", "member": "clinic", "redirect": (CALLBACK,)}
    register_app(north.node, RegisterApp(**known, scopes=f"{left} offline_access"))
    assert read(north, first["access_token"], "Patient").status_code == 401
    form_ = {"grant_type": "refresh_token", "client_id": "growth", "refresh_token": first["refresh_token"]}
    second = token(north, **form_).json()
    if told:
        assert "Observation" not in second["scope"]
        assert told in second["scope"]
        assert read(north, second["access_token"], "Observation").status_code == 403
    else:
        assert (second["error"], "access_token" in second) == ("invalid_grant", False)
        register_app(north.node, RegisterApp(**known, scopes="patient/*.rs offline_access"))
        assert token(north, **form_).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("shown", ["Bearer", "Bearer ", "Bearer x", "bearer " + "00" * 32, "Bearer é"])
def test_a_token_that_is_none_opens_nothing(north, shown) -> None:
    answer = north.browser().get("/fhir/Patient", headers={"authorization": shown.encode()})
    assert (answer.status_code, "Canary" in answer.text) == (401, False)


def test_a_token_opens_the_fhir_server_alone(north) -> None:
    got = exchanged(north, coded(north)).json()["access_token"]
    sent = north.browser().post(
        "/api/records/find", json={"name": "canary"}, headers={"authorization": f"Bearer {got}"}
    )
    assert sent.status_code == 401


def test_a_narrowed_search_counts_includes_and_chains_nothing_else(north) -> None:
    got = exchanged(north, coded(north, scope=VITALS)).json()["access_token"]
    assert read(north, got, "Observation?_total=accurate&_include=Observation:subject").json()["entry"][0][
        "search"
    ] == {"mode": "match"}
    found = read(north, got, "Observation?_include=Observation:subject").json()
    assert {one["resource"]["resourceType"] for one in found["entry"]} == {"Observation"}
    assert read(north, got, "Observation?patient.family=canary").json()["total"] == 0
    other = exchanged(north, coded(north, scope="patient/Observation.rs?code=none")).json()["access_token"]
    assert read(north, other, "Observation").json()["total"] == 0
    assert read(north, other, "Observation/o1").status_code == 404
    assert read(north, other, "Observation/o1/_history").status_code == 404


def test_a_program_of_a_member_that_is_not_active_or_removed_gets_nothing(north) -> None:
    got = exchanged(north, coded(north)).json()["access_token"]
    remove_app(north.node, RemoveApp(id="growth"))
    assert read(north, got, "Patient").status_code == 401
    assert north.patient().get(asking(north), follow_redirects=False).status_code == 404
    with pytest.raises(EdgeError, match="no active member"):
        register_app(north.node, RegisterApp(id="g", name="G", member="nobody", scopes=SCOPES, redirect=(CALLBACK,)))


def test_who_is_dismissed_loses_the_tokens_that_programs_hold(north) -> None:
    browser = north.staff("surgeon", ("TREAT",))
    page = browser.get(question(browser, asking(north, scope="user/Patient.rs online_access"))).text
    got = exchanged(north, answered(browser, page)).json()
    assert read(north, got["access_token"], "Patient").status_code == 200
    dismiss(north.node, DismissPerson(subject="surgeon-1"))
    assert read(north, got["access_token"], "Patient").status_code == 401
    again = token(north, grant_type="refresh_token", refresh_token=got["refresh_token"], client_id="growth")
    assert again.json()["error"] == "invalid_grant"


def test_another_sessions_question_form_or_choice_is_nothing(north) -> None:
    mine, other = north.staff(), north.staff("nurse", ("TREAT",))
    where = question(mine, asking(north))
    page = mine.post("/apps/find", data={**form(mine.get(where).text, "/apps/find"), "name": "canary"}).text
    chosen = re.search(r'name="patient" value="([^"]+)"', page)[1]
    fields = form(other.get(where).text, "/apps/allow")
    sent = other.post("/apps/allow", data={**fields, "scope": "patient/*.rs", "patient": chosen})
    assert (sent.status_code, "session.address" in sent.text) == (404, True)
    foreign = mine.post("/apps/allow", data={**form(page, "/apps/allow"), "form": "0" * 32, "patient": chosen})
    assert foreign.status_code == 403


ASSERTIONS = {
    "with another key": {"key": OTHER_KEY},
    "for another audience": {"aud": "https://other.example/token"},
    "by another issuer": {"iss": "growth"},
    "over": {"exp": 1},
    "for an hour": {"exp": 4_000_000_000},
    "without an id": {"jti": ""},
    "with a text for a time": {"exp": "soon"},
}


@pytest.mark.parametrize("attack", ASSERTIONS)
def test_an_assertion_that_does_not_hold_is_nobody(north, attack) -> None:
    told = signed(assertion(north=north, **ASSERTIONS[attack]), grant_type="client_credentials", scope="system/*.rs")
    answer = token(north, **told)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_an_assertion_is_taken_once_signed_as_agreed_and_never_replaced_by_an_id(north) -> None:
    once = assertion(north=north)
    form_ = signed(once, grant_type="client_credentials", scope="system/Observation.rs")
    assert [token(north, **form_).status_code for _ in range(2)] == [200, 401]
    bare = token(north, grant_type="client_credentials", client_id="registry", scope="system/Observation.rs")
    assert bare.json()["error"] == "invalid_client"
    none = token(north, **{**form_, "client_assertion": once.rpartition(".")[0] + "."})
    assert none.json()["error"] == "invalid_client"
    for broken in ("x", "a.b.c", "", "é.é.é"):
        assert token(north, **{**form_, "client_assertion": broken, "client_id": "registry"}).status_code == 401
    assert north.browser().post("/smart/introspect", data={"client_id": "registry", "token": "x"}).status_code == 401


@pytest.mark.parametrize(
    "form_",
    [{"grant_type": "password"}, {"grant_type": ""}, {"grant_type": "authorization_code", "client_id": "growth"}],
)
def test_other_grants_are_refused(north, form_) -> None:
    assert token(north, **form_).json()["error"] in {"unsupported_grant_type", "invalid_grant"}
    twice = north.browser().post("/smart/token", content=b"grant_type=a&grant_type=b")
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")


WRONG = {
    "a plain address": {"redirect": ("http://app.example/cb",)},
    "a script": {"redirect": ("javascript:alert(1)",)},
    "a fragment": {"redirect": ("https://app.example/#x",)},
    "a user in the address": {"redirect": ("https://salus@evil.example/",)},
    "a policy in the address": {"redirect": ("https://app.example/;script-src",)},
    "no address": {"redirect": ()},
    "no scope": {"scopes": "nothing"},
    "keys that are none": {"jwks": b'{"keys":[]}'},
    "keys of another kind": {"jwks": b'{"keys":[{"kty":"oct","k":"AAAA","kid":"1"}]}'},
    "no JSON": {"jwks": b"\xff"},
    "a private key": {"jwks": json.dumps({"keys": [{**KEY.as_dict(private=True), "kid": "1"}]}).encode()},
    "two keys of one name": {"jwks": jwks(KEY, KEY)},
    "a short key": {"jwks": json.dumps({"keys": [{"kty": "RSA", "kid": "1", "e": "AQAB", "n": "w" * 171}]}).encode()},
    "a service without keys": {"role": "r", "purposes": ("TREAT",)},
}  # fmt: skip


@pytest.mark.parametrize("attack", WRONG)
def test_a_registration_that_does_not_hold_is_not_kept(north, attack) -> None:
    told = {"id": "bad", "name": "Bad", "member": "clinic", "scopes": SCOPES, "redirect": (CALLBACK,)} | WRONG[attack]
    with pytest.raises(EdgeError):
        register_app(north.node, RegisterApp(**told))
    assert [one.id for one in list_apps(north.node, ListApps()).apps] == ["growth", "registry"]


def test_in_chromium_an_app_of_another_site_asks_is_allowed_and_answered(north, chromium, address) -> None:
    """The session's strict cookie, the policy of forms and the way back work together only in a browser."""
    place = "http://127.0.0.1:9/callback"
    told = {"id": "growth", "name": "Growth chart", "member": "clinic", "scopes": SCOPES}
    register_app(north.node, RegisterApp(**told, redirect=(place,)))
    context = chromium.new_context()
    page = context.new_page()
    address_asked = address + asking(north, redirect_uri=place)
    page.route(
        "http://127.0.0.1:9/app",
        lambda route: route.fulfill(
            content_type="text/html", body=f'<a href="{html.escape(address_asked)}">Connect</a>'
        ),
    )
    page.route("http://127.0.0.1:9/callback*", lambda route: route.fulfill(content_type="text/html", body="back"))
    session = north.node.sessions.open(ends=north.node.now() + 3_600_000, wallet="ada")
    cookie = {"name": "salus-north", "value": session, "url": address, "sameSite": "Strict", "httpOnly": True}
    context.add_cookies([cookie])
    page.goto("http://127.0.0.1:9/app")
    page.get_by_role("link", name="Connect").click()
    page.get_by_role("button", name="Allow", exact=True).click()
    page.wait_for_url("http://127.0.0.1:9/callback*")
    answer = parse_qs(urlsplit(page.url).query)
    context.close()
    assert exchanged(north, {"code": answer["code"][0]}, redirect_uri=place).json()["patient"] == "p1"
