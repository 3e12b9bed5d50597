"""Script in every field of a record and of every form: all pages are walked, and none of it has become markup."""

import json
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

import pytest

from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.refusal import Refused
from salus.node.identity import match
from salus.node.identity.comparing import Match
from salus.node.records.intake import Intake
from salus.node.requests import AskAccess, ask_access
from salus.node.signing_in import caller_of
from salus.node.usecase import LOCAL_OPERATOR

CANARY = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>"
OWN = {"subject": {"reference": "Patient/p1"}}
DAY = "2026-01-02"
TEXT = {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "x"}], "text": "x"}
RESOURCES = (
    {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1970-05-05",
     "identifier": [{"system": "urn:mrn:north", "value": "4711"}], "name": [{"family": "Canary", "given": ["Ada"], "text": "x"}],
     "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "x"}],
     "address": [{"line": ["x"], "city": "x", "postalCode": "x"}]},
    {"resourceType": "AllergyIntolerance", "id": "a9", "patient": OWN["subject"], "code": TEXT, "note": [{"text": "x"}]},
    {"resourceType": "Condition", "id": "c9", **OWN, "code": TEXT, "recordedDate": DAY, "clinicalStatus": TEXT},
    {"resourceType": "MedicationRequest", "id": "m9", **OWN, "status": "active", "intent": "order",
     "medicationCodeableConcept": TEXT, "authoredOn": DAY, "dosageInstruction": [{"text": "x"}]},
    {"resourceType": "Immunization", "id": "i9", "patient": OWN["subject"], "status": "completed", "vaccineCode": TEXT,
     "occurrenceDateTime": DAY, "lotNumber": "x"},
    {"resourceType": "DocumentReference", "id": "d9", **OWN, "status": "current", "type": TEXT, "date": f"{DAY}T00:00:00Z",
     "description": "x", "content": [{"attachment": {"contentType": "text/plain", "title": "x", "url": "x"}}]},
    {"resourceType": "Observation", "id": "o9", **OWN, "status": "final", "code": TEXT, "effectiveDateTime": DAY,
     "valueQuantity": {"value": 5.3, "unit": "x", "system": "http://unitsofmeasure.org", "code": "x"}},
    {"resourceType": "Observation", "id": "o8", **OWN, "status": "final", "code": TEXT, "effectiveDateTime": DAY, "valueString": "x"},
    {"resourceType": "DiagnosticReport", "id": "r9", **OWN, "status": "final", "code": TEXT, "conclusion": "x"},
    {"resourceType": "Procedure", "id": "q9", **OWN, "status": "completed", "code": TEXT, "performedDateTime": DAY},
    {"resourceType": "Encounter", "id": "e9", **OWN, "status": "finished", "class": {"code": "AMB", "display": "x"}, "type": [TEXT]},
)  # fmt: skip
QUERIES = {
    "/duplicates": ("standing",),
    "/my/record": ("kind", "page"),
    "/my/looked": ("by", "why", "since", "until"),
    "/ledger": ("before",),
    "/ledger/find": ("what",),
    "/sign-in": ("code", "next"),
    "/confirm": ("code",),
}


def poisoned(tree, path=()):
    """Yield the paths of all strings in a resource."""
    if isinstance(tree, str):
        yield path
    for name, one in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from poisoned(one, (*path, name))


def with_canaries(tree):
    """Return a resource with the canary at the end of every string that the gate lets it stand in."""
    count = 0
    for *above, last in list(poisoned(tree)):
        if last in {"id", "resourceType", "reference"}:
            continue
        trial = json.loads(json.dumps(tree))
        place = trial
        for step in above:
            place = place[step]
        place[last] += CANARY
        try:
            read_resource(json.dumps(trial).encode())
        except Refused:
            continue
        tree, count = trial, count + 1
    return tree, count


class Seen(HTMLParser):
    """What of a page a browser would make elements of; its forms and links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong, self.links, self.forms = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        if tag == "img" or (tag == "script" and "src" not in told) or any(name.startswith("on") for name in told):
            self.wrong.append((tag, attributes))
        if tag == "a" and told.get("href", "").startswith("/"):
            self.links.append(told["href"])
        if tag == "form":
            self.forms.append((told.get("method", "get"), told.get("action", ""), {}))
        if tag in {"input", "textarea", "select", "button"} and self.forms and told.get("name"):
            kind = told.get("type", "text" if tag != "button" else "submit")
            fixed = kind in {"hidden", "radio", "checkbox", "submit"} or tag == "select"
            if kind != "radio" or told["name"] not in self.forms[-1][2]:
                self.forms[-1][2][told["name"]] = told.get("value", "") if fixed else CANARY


def walked(browser, starts):
    """Follow every link and send every form with the canary in its fields; return the pages, by what was asked."""
    waiting, seen, sent = list(starts), {}, set()
    while waiting:
        path = waiting.pop()
        bare = urlsplit(path).path
        if path in seen or bare.startswith(("/assets", "/scripts", "/ledger/blocks/", "/ledger/transactions")):
            continue
        page = browser.get(path)
        seen[path] = page
        if not page.headers["content-type"].startswith("text/html"):
            continue
        found = Seen(page.text)
        waiting += found.links
        for method, action, fields in found.forms:
            if (
                action in {"/sign-out", "/my/erase", "/operator/dismiss", "/sign-in/passkey"}
                or (action, *fields) in sent
            ):
                continue
            sent.add((action, *fields))
            if method == "get":
                waiting.append(f"{action}?{urlencode(fields)}")
                continue
            answer = browser.post(action, data=fields)
            seen[f"POST {action} {sorted(fields)}"] = answer
            waiting += Seen(answer.text).links if "html" in answer.headers["content-type"] else []
    return seen


@pytest.fixture(scope="module")
def told(sites, tmp_path_factory):
    """Take in the record with its canaries, let them be found alike, and be shared with the clinic."""
    north, clinic = sites["north"], sites["clinic"]
    made = [with_canaries(one) for one in RESOURCES]
    assert sum(count for _, count in made) > 50
    folder = tmp_path_factory.mktemp("canaries")
    for source, trees in (("urn:source:north", [one for one, _ in made]), ("urn:source:lab", [made[0][0]])):
        text = "\n".join(json.dumps(one) for one in trees)
        file = folder / "all.ndjson"
        file.write_text(
            text if source.endswith("north") else text.replace("urn:mrn:north", "urn:mrn:lab").replace("4711", "99")
        )
        Intake(north.node, source).run([file])
    match(north.node, Match())
    caller, _ = caller_of(clinic.node, "physician-1", "physician", ("TREAT",))
    code = ask_access(
        clinic.node, AskAccess(purpose="TREAT", classes=("general", "laboratory", "medication")), caller=caller
    ).code
    holder = north.wallet.holder
    holder.answer(holder.read_request(code), days=7, through="north")
    north.together.settle()
    return code


def test_nothing_that_a_record_or_a_form_says_becomes_markup(sites, told) -> None:
    north, clinic = sites["north"], sites["clinic"]
    patient, staff, reader = north.patient(), north.staff("registrar", ("TREAT", "ETREAT", "HOPERAT")), clinic.staff()
    operator = north.browser()
    operator.cookies.set("salus-north", north.node.sessions.open(LOCAL_OPERATOR, north.node.now() + 3_600_000))
    asked = {**_hidden(patient.get("/my/share").text, "/my/share"), "code": told}
    shared = patient.post("/my/share", data=asked)
    found = staff.post("/patients", data={**_hidden(staff.get("/patients").text, "/patients"), "name": "ada"})
    assert found.text.count("/chart/") >= 2
    pages = {}
    for who, browser, starts in (
        ("patient", patient, ["/", "/my/record", "/passkeys", "/apps", str(shared.url.path)]),
        ("staff", staff, ["/", "/patients", "/scan"]),
        ("reader", reader, ["/", "/access"]),
        ("operator", operator, ["/"]),
        ("anyone", north.browser(), ["/", "/sign-in", "/confirm", "/ledger/verify"]),
    ):
        queried = [f"{path}?{urlencode(dict.fromkeys(names, CANARY))}" for path, names in QUERIES.items()]
        lost = [
            f"{path}/{CANARY}".replace("/>", ">")
            for path in ("/chart", "/record", "/my/record", "/duplicates", "/nothing")
        ]
        pages |= {(who, path): page for path, page in walked(browser, [*starts, *queried, *lost]).items()}
    wrong = {at: Seen(page.text).wrong for at, page in pages.items() if "html" in page.headers["content-type"]}
    assert {at: one for at, one in wrong.items() if one} == {}
    assert [at for at, page in pages.items() if page.status_code >= 500 and page.status_code != 503] == []
    shown = [at for at, page in pages.items() if "&lt;img src=x" in page.text]
    for part in (
        "/chart/",
        "/record/",
        "/timeline",
        "/results",
        "/my/record",
        "/my/summary",
        "/my/requests",
        "/reviews",
        "/duplicates/",
    ):
        assert [path for _, path in shown if part in path], part
    assert len(pages) > 150


def _hidden(page, action):
    return next(
        {name: value for name, value in fields.items() if value != CANARY}
        for _, at, fields in Seen(page).forms
        if at == action
    )
