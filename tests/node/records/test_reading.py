"""What a member's own people see of a chart: the member's policy, less what the patient's consents deny."""

import json

import msgspec
import pytest

from salus.contracts.membership.port import Role
from salus.node.errors import EdgeError
from salus.node.records.charts import FindPatients, ShowChart, ShowRecord, find_patients, show_chart, show_record
from salus.node.records.intake import Intake
from salus.node.records.measures import AskMeasures, list_measures
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import LOCAL_OPERATOR, Caller, Kind
from salus.vault.errors import UnknownRecord

DOCTOR = Caller(Kind.PERSON, "north", "s-1", "physician", ("TREAT", "ETREAT"))
CLERK = Caller(Kind.PERSON, "north", "s-2", "clerk", ("HPAYMT",))
SUBJECT = {"reference": "Patient/p1"}
TREES = (
    {"resourceType": "Patient", "id": "p1", "name": [{"family": "Canary"}], "identifier": [{"system": "urn:m", "value": "1"}]},
    {"resourceType": "Observation", "id": "o1", "status": "final", "subject": SUBJECT, "code": {"text": "pulse"}, "valueQuantity": {"value": 70}},
    {"resourceType": "Condition", "id": "c1", "subject": SUBJECT, "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.1"}]}},
)  # fmt: skip


def consent(*denied, purpose="TREAT"):
    inner = {"type": "deny", "purpose": [{"code": purpose}]}
    if denied:
        inner["class"] = [{"system": "http://hl7.org/fhir/resource-types", "code": one} for one in denied]
    scope = {"coding": [{"code": "patient-privacy"}]}
    told = {"resourceType": "Consent", "id": "k1", "status": "active", "scope": scope, "patient": SUBJECT}
    return {**told, "provision": {"type": "permit", "provision": [inner]}}


@pytest.fixture
def node(tmp_path):
    found = found_together(tmp_path / "members", (Founder("north", "North", (Role.PROVIDER,)),), clock=Clock())
    yield found.nodes["north"]
    found.close()


@pytest.fixture
def take(node, tmp_path):
    def taken(*trees):
        file = tmp_path / "taken.ndjson"
        file.write_text("\n".join(map(json.dumps, trees)))
        Intake(node, "urn:north").run([file])

    taken(*TREES)
    return taken


def seen(node, caller, purpose):
    """Return the types of a chart, whether the patient is found, and of which numbers the record opens."""
    link = node.vault.find_link("urn:north", "p1").hex()
    chart = show_chart(node, ShowChart(link=link, purpose=purpose), caller=caller)
    assert chart.total == len(chart.lines)
    found = find_patients(node, FindPatients(name="canary", purpose=purpose), caller=caller).patients
    assert found == find_patients(node, FindPatients(identifier="urn:m|1", purpose=purpose), caller=caller).patients
    measures = list_measures(node, AskMeasures(link=link, purpose=purpose), caller=caller)
    types = {line.type for line in chart.lines}
    assert bool(measures.measures) is bool(measures.total) is ("Observation" in types)
    assert bool(found) is ("Patient" in types)
    opened = set()
    for ref in node.vault.of_link(node.vault.find_link("urn:north", "p1")):
        try:
            opened.add(show_record(node, ShowRecord(number=ref.number, purpose=purpose), caller=caller).type)
        except UnknownRecord:
            continue
    assert opened == types
    return types


def test_the_policy_rules_without_consents(node, take):
    assert seen(node, DOCTOR, "TREAT") == {"Patient", "Observation", "Condition"}
    assert seen(node, CLERK, "HPAYMT") == {"Patient", "Observation"}


def test_a_consent_rules_the_pages_as_it_rules_the_api(node, take):
    take(consent("Observation"))
    assert seen(node, DOCTOR, "TREAT") == {"Patient", "Condition", "Consent"}
    assert seen(node, DOCTOR, "ETREAT") == {"Patient", "Observation", "Condition", "Consent"}
    assert seen(node, LOCAL_OPERATOR, "HSYSADMIN") == {"Patient", "Observation", "Condition", "Consent"}
    take(consent())
    assert seen(node, DOCTOR, "TREAT") == set()
    assert seen(node, CLERK, "HPAYMT") == {"Patient", "Observation", "Consent"}


def test_an_older_version_is_hidden_with_its_newest(node, take):
    take({**TREES[1], "status": "amended"})
    take(consent("Observation"))
    refs = node.vault.versions(node.vault.find_link("urn:north", "p1"), "Observation", "o1")
    assert len(refs) == 2
    for ref in refs:
        with pytest.raises(UnknownRecord):
            show_record(node, ShowRecord(number=ref.number, purpose="TREAT"), caller=DOCTOR)


def test_a_purpose_that_no_policy_names_opens_nothing(node, take):
    caller = Caller(Kind.PERSON, "north", "s-3", "marketer", ("HMARKT",))
    assert seen(node, caller, "HMARKT") == set()
    with pytest.raises(EdgeError, match="not for this purpose"):
        seen(node, caller, "TREAT")


def permit(*purposes):
    told = consent()
    told["provision"] = (
        {"type": "permit", "purpose": [{"code": one} for one in purposes]} if purposes else {"type": "permit"}
    )
    return told


EVERYTHING = {"Patient", "Observation", "Condition"}
NORMAL = {"Patient", "Observation"}


@pytest.mark.parametrize(
    ("without_consent", "seen_by"),
    [
        ("", (EVERYTHING, NORMAL, EVERYTHING)),
        ("basic-normal", (NORMAL, NORMAL, EVERYTHING)),
        ("all-normal", (NORMAL, NORMAL, EVERYTHING)),
        ("break-glass-only", (set(), set(), EVERYTHING)),
        ("deny", (set(), set(), set())),
    ],
)
def test_the_default_policy_stands_where_no_consent_speaks(node, take, without_consent, seen_by):
    treated, office, emergency = seen_by
    fhir = msgspec.structs.replace(node.config.fhir, without_consent=without_consent)
    node.config = msgspec.structs.replace(node.config, fhir=fhir)
    assert seen(node, DOCTOR, "TREAT") == treated
    assert seen(node, CLERK, "HPAYMT") == office
    assert seen(node, DOCTOR, "ETREAT") == emergency
    assert seen(node, LOCAL_OPERATOR, "HSYSADMIN") == EVERYTHING
    take(permit("TREAT"))
    assert seen(node, DOCTOR, "TREAT") == EVERYTHING | {"Consent"}
    assert seen(node, CLERK, "HPAYMT") == (office | {"Consent"} if office else set())
    take(consent())
    assert seen(node, DOCTOR, "TREAT") == set()
