"""The journal as AuditEvents: found by patient, readable, only as far as one may see what it names."""

import json

import msgspec
import pytest

from salus.interop.fhir.balp import Happened, audit_event
from salus.node.usecase import LOCAL_OPERATOR
from tests.node.fhir.conftest import Asker
from tests.node.fhir.test_consents import NO_PULSE, event, filed
from tests.node.fhir.test_rest import patient, pulse, refusal


@pytest.fixture
def ada(operator):
    return operator.create(patient())["id"]


def audited(asker, query):
    """Return a patient's AuditEvents over all pages, having checked the total."""
    bundle = asker.get(f"AuditEvent?{query}")
    total, found = bundle["total"], []
    while True:
        found += [entry["resource"] for entry in bundle.get("entry", ())]
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
        if not following:
            break
        bundle = asker.get(following[0].removeprefix(asker.server.base + "/"))
        assert bundle["total"] == total
    assert len({one["id"] for one in found}) == len(found) == total
    return found


def named(one):
    return [entity["what"]["reference"] for entity in one["entity"]]


def test_what_happened_is_found_by_patient(doctor, ada):
    beat = doctor.create(pulse(ada))["id"]
    doctor("GET", f"Observation/{beat}")
    doctor.found("Observation")
    found = audited(doctor, f"patient={ada}")
    assert [one["subtype"][0]["code"] for one in found] == ["search-type", "read", "create", "create"]
    search, read, create, _ = found
    assert (create["action"], named(create)) == ("C", [f"Patient/{ada}", f"Observation/{beat}"])
    assert named(read) == [f"Patient/{ada}", f"Observation/{beat}"]
    assert (read["action"], search["action"]) == ("R", "E")
    client, server = read["agent"][1:]
    assert (client["type"]["coding"][0]["code"], server["type"]["coding"][0]["code"]) == ("110152", "110153")
    assert [agent["type"]["coding"][0]["code"] for agent in search["agent"][1:]] == ["110153", "110152"]
    user = read["agent"][0]
    assert user["who"]["identifier"]["value"] == "s-1"
    assert user["purposeOfUse"][0]["coding"][0]["code"] == "TREAT"
    assert doctor.get(f"AuditEvent/{read['id']}") == read
    assert [one["subtype"][0]["code"] for one in audited(doctor, f"patient=Patient/{ada}&_sort=-date")][-4:-2] == [
        "search-type",
        "read",
    ]
    assert audited(doctor, f"patient={ada}&date=lt2020") == []


def test_pages_do_not_shift_while_they_are_read(doctor, ada):
    for at in range(5):
        doctor("GET", f"Observation/{doctor.create(pulse(ada, at))['id']}")
    assert len(audited(doctor, f"patient={ada}&_count=2")) == 11


def test_a_line_about_what_is_hidden_is_not_there(doctor, operator, ada):
    beat = doctor.create(pulse(ada))["id"]
    doctor("GET", f"Observation/{beat}")
    line, *_ = audited(doctor, f"patient={ada}")
    filed(operator, ada, NO_PULSE)
    assert all(f"Observation/{beat}" not in named(one) for one in audited(doctor, f"patient={ada}"))
    assert refusal(doctor, "GET", f"AuditEvent/{line['id']}") == (404, "fhir.not-found")
    assert f"Observation/{beat}" in json.dumps(audited(Asker(doctor.server, LOCAL_OPERATOR), f"patient={ada}"))


def test_filed_audit_events_stand_in_the_same_list(doctor, operator, ada):
    own = operator.create(event(ada))["id"]
    doctor("GET", f"Patient/{ada}")
    assert own in {one["id"] for one in audited(doctor, f"patient={ada}")}


@pytest.mark.parametrize("query", ["patient=x&action=R", "patient=x&patient=y", "patient=x&date=soon", "patient=x&_sort=date"])  # fmt: skip
def test_what_is_not_understood_is_refused(doctor, query):
    assert refusal(doctor, "GET", f"AuditEvent?{query}") == (400, "fhir.search-parameter")


@pytest.mark.parametrize("own", ["journal-", "journal-zz", f"journal-{'00' * 16}", f"journal-{'ff' * 15}"])
def test_made_up_ids_are_no_lines(doctor, ada, own):
    assert refusal(doctor, "GET", f"AuditEvent/{own}") == (404, "fhir.not-found")
    assert refusal(doctor, "GET", "AuditEvent?patient=nobody") == (404, "fhir.not-found")


def test_a_disclosure_is_of_the_form_for_disclosures():
    told = Happened(
        "a", "2026-01-01T00:00:00Z", "serve", "south", "north", "", "", "TREAT", "Patient/p", ("Observation/1",)
    )
    tree = audit_event(told)
    assert (tree["type"]["code"], tree["subtype"][0]["code"], tree["action"]) == ("110106", "disclose", "R")
    assert "who" not in tree["agent"][0]
    operation = audit_event(msgspec.structs.replace(told, action="export", person="s", role="r"))
    assert operation["subtype"][0]["code"] == "operation"
