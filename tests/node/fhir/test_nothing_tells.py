"""Sixteen ways by which a server could tell what one may not see. In each, two worlds give the same answers.

In the first world a patient has hidden records: an observation, a condition, its encounter, and what refers to them. In the
second they were never written. Whatever a clinician asks, the two servers answer alike, ids and times apart.
"""

import json
import re

import pytest

from salus.contracts.membership.port import Role
from salus.node.errors import EdgeError
from salus.node.fhir.server import FhirServer
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import LOCAL_OPERATOR
from tests.node.fhir.conftest import DOCTOR, Asker
from tests.node.fhir.test_consents import consent
from tests.node.fhir.test_rest import patient, pulse

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
HIDDEN = "hidden"
HIDE = {
    "type": "permit",
    "provision": [
        {
            "type": "deny",
            "data": [
                {"meaning": "related", "reference": {"reference": f"Encounter/{HIDDEN}"}},
                {"meaning": "instance", "reference": {"reference": "Composition/hidden"}},
                {"meaning": "instance", "reference": {"reference": "Provenance/hidden"}},
                {"meaning": "instance", "reference": {"reference": "AuditEvent/hidden"}},
                {"meaning": "instance", "reference": {"reference": "Patient/hidden"}},
            ],
        }
    ],
}
ADA = {"reference": "Patient/ada"}


def hidden():
    """Return what the clinician may not see."""
    inside = {"encounter": {"reference": f"Encounter/{HIDDEN}"}}
    return [
        {
            "resourceType": "Encounter",
            "id": HIDDEN,
            "status": "finished",
            "class": {"code": "AMB"},
            "subject": ADA,
        },
        pulse("ada", 99, id=HIDDEN, **inside),
        {
            "resourceType": "Condition",
            "id": HIDDEN,
            "subject": ADA,
            "code": {"coding": [{"system": ICD, "code": "C50"}]},
            "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">secretword</div>'},
            **inside,
        },
        {
            "resourceType": "Composition",
            "id": HIDDEN,
            "status": "final",
            "type": {"coding": [{"code": "60591-5"}]},
            "date": "2026-01-03",
            "title": "secretword",
            "author": [{"display": "x"}],
            "subject": ADA,
            "section": [{"entry": [{"reference": f"Condition/{HIDDEN}"}]}],
            **inside,
        },
        {
            "resourceType": "Provenance",
            "id": HIDDEN,
            "target": [{"reference": f"Condition/{HIDDEN}"}, {"reference": f"Encounter/{HIDDEN}"}],
            "recorded": "2026-01-03T10:00:00Z",
            "agent": [{"who": {"display": "x"}}],
        },
        {
            "resourceType": "AuditEvent",
            "id": HIDDEN,
            "type": {"code": "rest"},
            "recorded": "2026-01-03T10:00:00Z",
            "agent": [{"requestor": True}],
            "source": {"observer": {"display": "x"}},
            "entity": [{"what": {"reference": f"Condition/{HIDDEN}"}}, {"what": ADA}],
        },
    ]


class World:
    """A server with what everybody may see, and with or without what is hidden."""

    def __init__(self, folder, *, full):
        self.together = found_together(folder, (Founder("north", "North Hospital", (Role.PROVIDER,)),), clock=Clock())
        self.server = FhirServer(self.together.nodes["north"])
        self.operator, self.doctor = Asker(self.server, LOCAL_OPERATOR), Asker(self.server, DOCTOR)
        self.put({**patient(), "id": "ada"})
        self.put({**consent("ada", HIDE), "id": "c"})
        for tree in hidden() if full else ():
            self.put(tree)
        for at in range(3):
            self.put(pulse("ada", 60 + at, id=f"seen{at}", effectiveDateTime=f"2026-01-0{at + 1}"))

    def put(self, tree):
        assert self.operator("PUT", f"{tree['resourceType']}/{tree['id']}", tree).status == 201

    def told(self, method, path, body=None, **headers):
        """Return status and body or refusal, without what differs by chance: times, sealed links, new ids."""
        try:
            answer = self.doctor(method, path, body, **headers)
        except EdgeError as error:
            return error.fault.status, error.code, error.message, error.told()
        text = re.sub(r'"[0-9T:.\-]{10,}Z"', '"time"', answer.body.decode())
        return answer.status, re.sub(r"(_page[/=]|journal-)[\w-]+", r"\1x", text)

    def pages(self, path):
        bundle = self.doctor.get(path)
        found = [[entry["resource"]["id"] for entry in bundle.get("entry", ())]]
        while following := [link["url"] for link in bundle["link"] if link["relation"] == "next"]:
            bundle = self.doctor.get(following[0].removeprefix(self.server.base + "/"))
            found.append([entry["resource"]["id"] for entry in bundle.get("entry", ())])
        return found, bundle["total"]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    both = [World(tmp_path_factory.mktemp("world"), full=full) for full in (True, False)]
    yield both
    for world in both:
        world.together.close()


ROUTES = {
    "1 totals": ["Observation", "Condition", "Encounter", "Composition", "Observation?patient=ada", "Condition?_total=accurate"],
    "3 includes, reverse includes, chains": [
        "Observation?_include=Observation:encounter",
        "Patient?_revinclude=Condition:subject",
        "Patient?_revinclude=Provenance:target",
        "Patient?_has:Condition:patient:code=C50",
        "Patient?_has:Encounter:patient:_has:Observation:encounter:code=8867-4",
        "Observation?encounter.class=AMB",
        "Observation?encounter=hidden",
        "Encounter?_revinclude=*",
    ],
    "4 counts": ["Observation?_summary=count", "Condition?_summary=count", "Observation?_count=0"],
    "5 histories and versions": [
        "Observation/hidden/_history",
        "Observation/hidden/_history/1",
        "Observation/_history",
        "Condition/_history",
        "_history",
        "Patient/ada/_history",
    ],
    "6 everything": ["Patient/ada/$everything", "Patient/ada/$everything?_count=2", "Patient/hidden/$everything"],
    "9 status and ETag": ["Observation/hidden", "Observation/never", "Encounter/hidden", "Patient/ada/Condition", "Patient/hidden/Condition"],
    "10 narrative": ["Condition?code:text=secretword", "Composition?title=secretword", "Composition?title:contains=secret"],
    "11 provenance and audit": [
        "Provenance",
        "Provenance?target=Condition/hidden",
        "AuditEvent?entity=Condition/hidden",
        "AuditEvent?entity=Patient/ada",
        "AuditEvent?patient=ada",
        "Provenance/hidden",
    ],
    "12 sections of documents": ["Composition?entry=Condition/hidden", "Composition?subject=ada", "Composition/hidden"],
    "13 search on a denied code": ["Condition?code=C50", "Condition?code:not=C50", "Observation?value-quantity=99", "Condition?code:missing=false"],
    "15 error messages": ["Condition?nonsense=C50", "Observation/hidden?x=y", "Condition/hidden/_history/99", "Encounter/hidden/$nothing"],
}  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_both_worlds_answer_alike(worlds, route):
    full, bare = worlds
    for path in ROUTES[route]:
        told = full.told("GET", path)
        assert told == bare.told("GET", path), path
        if isinstance(told[0], int) and told[0] == 200:
            assert HIDDEN not in re.sub(r'"url":"[^"]*"', "", told[1])


def test_2_pages_have_no_gaps(worlds):
    for path in ("Observation?_count=1", "Observation?_count=1&_sort=-date", "Observation?_count=2&patient=ada"):
        pages, total = worlds[0].pages(path)
        assert (pages, total) == worlds[1].pages(path)
        assert all(pages)


@pytest.mark.parametrize("path", ["Patient/$export", "$export", "Patient/$export?_type=Condition,Observation"])
def test_7_an_export_has_what_may_be_seen(worlds, path):
    def told(world):
        job = dict(world.doctor("GET", path, prefer="respond-async").extra)["content-location"]
        manifest = world.doctor.get(job.removeprefix(world.server.base + "/"))
        files = [one.pop("url").removeprefix(world.server.base + "/") for one in manifest["output"]]
        return manifest["output"], [world.told("GET", one) for one in files], [len(one) for one in files]

    assert told(worlds[0]) == told(worlds[1])


def test_8_there_are_no_subscriptions_to_overhear(worlds):
    for world in worlds:
        rest = world.doctor.get("metadata")["rest"][0]
        assert "subscription" not in json.dumps(rest["interaction"])
    tree = {"resourceType": "Subscription", "status": "requested", "reason": "x", "criteria": "Condition?code=C50", "channel": {"type": "rest-hook"}}  # fmt: skip
    told = [world.told("POST", "Subscription", tree, prefer="return=minimal") for world in worlds]
    assert told[0] == told[1]


def test_14_there_is_no_graphql(worlds):
    for path in ("$graphql?query={Condition{id}}", "Patient/ada/$graphql"):
        told = [world.told("GET", path) for world in worlds]
        assert told[0] == told[1]
        assert told[0][0] in {404, 405}


WRITES = [
    ("PUT", "Observation/hidden", pulse("ada", id=HIDDEN), {}),
    ("PUT", "Observation/hidden", pulse("ada", id=HIDDEN), {"if_match": 'W/"1"'}),
    ("PATCH", "Observation/hidden", [{"op": "remove", "path": "/status"}], {"content_type": "application/json-patch+json"}),
    ("DELETE", "Observation/hidden", None, {}),
    ("DELETE", "Condition?code=C50", None, {}),
    ("PUT", "Condition?code=C50&patient=bob", {"resourceType": "Condition", "subject": {"reference": "Patient/bob"}}, {}),
    ("POST", "Observation", pulse("nobody"), {}),
    ("POST", "Observation", pulse("hidden"), {}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WRITES)))
def test_writing_tells_nothing_either(worlds, number):
    method, path, body, headers = WRITES[number]
    told = [world.told(method, path, body, **headers) for world in worlds]
    assert told[0] == told[1]
    assert worlds[0].operator.get(f"Observation/{HIDDEN}")["valueQuantity"]["value"] == 99


def test_16_a_link_made_before_a_consent_shows_nothing_after_it(tmp_path):
    world = World(tmp_path, full=False)
    try:
        bundle = world.doctor.get("Observation?_count=1")
        following = next(link["url"] for link in bundle["link"] if link["relation"] == "next")
        world.put({**consent("ada", {"type": "deny"}), "id": "c2"})
        rest = world.doctor.get(following.removeprefix(world.server.base + "/"))
        assert (rest["total"], rest.get("entry", [])) == (0, [])
        assert world.told("GET", "Patient/ada")[:2] == (404, "fhir.not-found")
    finally:
        world.together.close()
