"""Pulled records beside the own: under derived names, under the grant's terms, and gone with it."""

import pytest

from salus.contracts.membership.port import Role
from salus.node.errors import EdgeError
from salus.node.exchange import grantee
from salus.node.fhir.server import FhirServer
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import LOCAL_OPERATOR, Caller, Kind
from salus.vault.journal import Side
from tests.node.fhir.conftest import Asker
from tests.node.test_story import shared

DOCTOR = Caller(Kind.PERSON, "clinic", "s-9", "physician", ("TREAT", "HPAYMT"))


@pytest.fixture
def story(tmp_path):
    founders = tuple(Founder(one, one, (Role.PROVIDER,)) for one in ("north", "south", "clinic"))
    together = found_together(tmp_path, founders, clock=Clock())
    holder, grant = shared(together, tmp_path)
    grantee.fetch(together.nodes["clinic"], grant, "TREAT")
    yield together, holder, grant
    together.close()


def test_pulled_records_are_one_record_with_names_of_their_own(story):
    together, _, grant = story
    doctor = Asker(FhirServer(together.nodes["clinic"]), DOCTOR)
    who = doctor.found("Patient?name=canary")
    assert len(who) == 2
    assert len(doctor.found("Observation?patient.name=canary")) == 5
    sources = {}
    for one in who:
        bundle = doctor.get(f"Patient?_id={one}&_revinclude=Observation:patient")
        own, *rest = (entry["resource"] for entry in bundle["entry"])
        sources[own["meta"]["source"]] = len(rest)
        assert {each["subject"]["reference"] for each in rest} == {f"Patient/{one}"}
        assert len(doctor.found(f"Patient/{one}/$everything")) == 7  # of both custodians: the grant is one patient's
    assert sources == {"urn:salus:member:north": 3, "urn:salus:member:south": 2}
    lines = together.nodes["clinic"].vault.lines(Side.GRANTEE, grant)
    assert {line.disclosure.person for line in lines if line.disclosure.action == "search"} == {"s-9"}


def test_leases_end_with_the_grant_and_hold_for_its_purposes_alone(story):
    together, holder, grant = story
    clinic = together.nodes["clinic"]
    server = FhirServer(clinic)
    doctor = Asker(server, DOCTOR)
    (one, *_) = doctor.found("Patient")
    following = next(link["url"] for link in doctor.get("Observation?_count=1")["link"] if link["relation"] == "next")
    assert Asker(server, DOCTOR, "HPAYMT").found("Patient") == Asker(server, LOCAL_OPERATOR).found("Patient") == set()
    with pytest.raises(EdgeError) as caught:
        doctor("DELETE", f"Patient/{one}")
    assert caught.value.code == "fhir.not-found"

    holder.stop(grant, through="south")
    together.settle()

    assert doctor.found("Patient") == doctor.found("Observation") == set()
    assert doctor.get(following.removeprefix(server.base + "/"))["total"] == 0
    assert doctor.get("_history")["total"] == 0
    with pytest.raises(EdgeError) as caught:
        doctor.get(f"Patient/{one}")
    assert caught.value.code == "fhir.not-found"


def test_a_replica_that_saw_nothing_for_a_day_shows_no_lease(story):
    together, _, _ = story
    doctor = Asker(FhirServer(together.nodes["clinic"]), DOCTOR)
    together.clock.advance(24 * 3600 * 1000 + 60_000)
    assert doctor.found("Patient") == set()
