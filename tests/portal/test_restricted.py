"""What a patient keeps from people here looks on every page as if it had never been written, byte for byte."""

import json
import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from salus.contracts.membership.port import Role
from salus.interop.fhir.sensitivity import CLASSES
from salus.node.records.intake import Intake
from salus.node.requests import AskAccess, ask_access
from salus.node.signing_in import caller_of
from salus.node.together import Clock, Founder, found_together
from salus.portal.app import routes
from salus.portal.visiting import Pages
from salus.vault.journal import Side
from tests.portal.conftest import form, links

HIDDEN = ("Observation", "Condition", "DiagnosticReport")
PATHS = (
    "",
    "/timeline",
    *(f"/timeline?type={one}" for one in HIDDEN),
    "/timeline?since=2026-01&until=2026-12",
    "/results",
)
NAMES = re.compile(r"\b[0-9a-f]{16,}\b")  # what addresses and forms of a session hold, and ids


def about(who, kind, number, **more):
    whose = {} if "patient" in more else {"subject": {"reference": f"Patient/{who}"}}
    return {"resourceType": kind, "id": f"{kind.lower()[:4]}-{who}-{number}", **whose, **more}


def person(who, number, *, whole):
    """Return a patient with a consent that keeps some kinds from treatment; `whole`: with such records too."""
    own = {"reference": f"Patient/{who}"}
    deny = [{"system": "http://hl7.org/fhir/resource-types", "code": one} for one in HIDDEN]
    inner = {"type": "deny", "purpose": [{"code": "TREAT"}], "class": deny}
    told = [
        {"resourceType": "Patient", "id": who, "identifier": [{"system": "urn:m", "value": number}],
         "name": [{"family": "Canary", "given": ["Ada"]}], "birthDate": "1970-05-05"},
        {"resourceType": "Consent", "id": f"k-{who}", "status": "active", "patient": own,
         "scope": {"coding": [{"code": "patient-privacy"}]}, "dateTime": "2026-01-01",
         "provision": {"type": "permit", "provision": [inner]}},
        about(who, "AllergyIntolerance", 1, patient=own, code={"text": "Nuts"}),
        about(who, "AllergyIntolerance", 2, patient=own, code={"text": "nuts"}),
        about(who, "MedicationRequest", 1, status="active", authoredOn="2026-01-05", medicationCodeableConcept={"text": "Iron"}),
        about(who, "MedicationRequest", 2, status="stopped", authoredOn="2026-01-05", medicationCodeableConcept={"text": "Iron"}),
        about(who, "Procedure", 1, status="completed", code={"text": "Cast"}, performedDateTime="2026-02-02"),
    ]  # fmt: skip
    if whole:
        for at in range(1, 4):
            pulse = {"status": "final", "code": {"text": "Pulse"}, "effectiveDateTime": f"2026-0{at}-02"}
            told.append(about(who, "Observation", at, **pulse, valueQuantity={"value": 70 + at, "unit": "/min"}))
            told.append(about(who, "Condition", at, code={"text": "Sadness"}, recordedDate=f"2026-0{at}-03"))
        told.append(about(who, "DiagnosticReport", 1, status="final", code={"text": "Panel"}))
    return told


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("restricted")
    founders = tuple(Founder(one, one.title(), (Role.PROVIDER,)) for one in ("north", "clinic"))
    found = found_together(folder, founders, clock=Clock())
    file = folder / "two.ndjson"
    file.write_text("\n".join(map(json.dumps, [*person("p1", "1", whole=True), *person("p2", "2", whole=False)])))
    Intake(found.nodes["north"], "urn:north").run([file])
    yield found
    found.close()


@pytest.fixture
def node(together):
    return together.nodes["north"]


def entered(node, purposes=("TREAT",)):
    browser = TestClient(Starlette(routes=routes(Pages(node, secure=False))), base_url="http://site.test")
    browser.post("/sign-in", data={"code": node.sessions.invite(*caller_of(node, "s-1", "physician", purposes))})
    return browser


def charted(node, number, purposes=("TREAT",)):
    """Return a session that has found one patient, the page of the find, and the address of the chart."""
    browser = entered(node, purposes)
    asked = {**form(browser.get("/patients").text, "/patients"), "system": "urn:m", "identifier": number}
    found = browser.post("/patients", data=asked)
    return browser, found, links(found.text, "/chart/")[0]


def looked(node, number):
    """Return every page of a chart as bytes, but for what belongs to its session; and what stands in its patient's log."""
    browser, found, chart = charted(node, number)
    pages = [browser.get(chart + path) for path in PATHS]
    first = next(one for one in links(pages[1].text, "/record/"))
    seen = [(page.status_code, NAMES.sub("*", page.text)) for page in pages]
    link = node.vault.find_link("urn:m", number)
    lines = [(one.disclosure.action, one.disclosure.what) for one in node.vault.lines(Side.CUSTODIAN, link, 0, 100)]
    told = NAMES.sub("*", found.text).replace(f'value="{number}"', "")
    return [told, *seen, browser.get(first).status_code], lines


def test_a_chart_with_a_hidden_part_is_the_chart_of_one_who_has_no_such_part(node) -> None:
    (hidden, told), (none, told_of_none) = looked(node, "1"), looked(node, "2")
    assert hidden == none
    assert told == told_of_none  # nor does the log of what was shown tell of more
    assert not [page for page in hidden if re.search("Pulse|Sadness|Panel", str(page))]


def pulled(together, number):
    """Share one patient's record with the clinic, of every class; return what its people see of it, and what stands in the logs."""
    north, clinic = together.nodes["north"], together.nodes["clinic"]
    holder = together.holder()
    holder.join("north", north.vault.invite(north.vault.find_link("urn:m", number)))
    browser = entered(clinic)
    caller = caller_of(clinic, "s-1", "physician", ("TREAT",))[0]
    code = ask_access(clinic, AskAccess(purpose="TREAT", classes=tuple(CLASSES)), caller=caller).code
    grant = holder.answer(holder.read_request(code), days=7, through="north")
    together.settle()
    found = browser.post("/access/pull", data=form(browser.get("/access").text, "/access/pull"))
    chart = links(found.text, "/chart/")[0]
    pages = [found, *(browser.get(chart + path) for path in PATHS)]
    lines = [(one.disclosure.action, one.disclosure.what) for one in clinic.vault.lines(Side.GRANTEE, grant, 0, 100)]
    holder.stop(grant, through="north")
    together.settle()
    return [(page.status_code, NAMES.sub("*", page.text)) for page in pages], lines


def test_a_grantees_chart_of_a_record_with_a_hidden_part_is_that_of_one_without(together) -> None:
    (hidden, told), (none, told_of_none) = pulled(together, "1"), pulled(together, "2")
    assert "Iron" in str(hidden)
    assert hidden == none
    assert told == told_of_none
    assert not [page for page in hidden if re.search("Pulse|Sadness|Panel", str(page))]


def test_what_is_hidden_is_there(node) -> None:
    """Without this the test above would hold of two patients who have nothing."""
    link = node.vault.find_link("urn:m", "1")
    assert node.vault.link_info(link).records == 14
    assert node.vault.link_info(node.vault.find_link("urn:m", "2")).records == 7


def test_an_address_of_what_is_hidden_leads_where_one_of_nothing_does(node) -> None:
    browser, _, chart = charted(node, "1")
    for path in (f"{chart}/results/{'0' * 20}", f"/record/{'0' * 20}"):
        sent = browser.get(path)
        assert (sent.status_code, "session.address" in sent.text) == (404, True)


def test_what_is_entered_twice_or_disagrees_is_said(node) -> None:
    browser, _, chart = charted(node, "2")
    page = browser.get(chart).text
    assert (page.count("entered more than once"), page.count("entries disagree")) == (2, 2)
