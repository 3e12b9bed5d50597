"""Criteria by expression over the site's own records, and items traced to the record that they were read from."""

import json

import pytest

from salus.core.proof.batch import root_from_batch
from salus.node.demo.trial_scene import Scene, day_of, sample
from salus.node.errors import Forbidden, Malformed, NotFound
from salus.node.trials import read_item, screen_subject, take_consent, trace_item
from salus.node.trials.conducting import TakeConsent
from salus.node.trials.kept import Subject, one
from salus.node.trials.sourcing import ReadItem, ScreenSubject, TraceItem
from salus.vault.journal import Side
from salus.vault.sealing import Content

ADULT = "Patient.birthDate <= today() - 18 years"
PAIN = "Observation.where(code.text = 'pain' and value.value >= 4).exists()"


@pytest.fixture(scope="module")
def terms() -> bytes:
    told = json.loads(sample("terms-1"))
    told["criteria"][0] |= {"by": "fhirpath", "expression": ADULT}
    told["criteria"][1] |= {"by": "fhirpath", "expression": PAIN}
    return json.dumps(told).encode()


def observation(id_: str, text: str, value: str, unit: str) -> Content:
    body = (
        f'{{"resourceType":"Observation","id":"{id_}","status":"final","code":{{"text":"{text}"}},'
        f'"valueQuantity":{{"value":{value},"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{unit}"}}}}'
    )
    return Content("Observation", id_, body.encode())


def consented(scene: Scene, number: int, *contents: Content) -> str:
    north = scene.node("north")
    taken = take_consent(
        north, TakeConsent(study=scene.id, assigner="urn:mrn:north", identifier=str(number), language="en")
    )
    born = b'{"resourceType":"Patient","id":"p","birthDate":"1960-05-01"}'
    link = one(north, Subject, scene.study + bytes.fromhex(taken.subject)).link
    north.vault.write(link, [Content("Patient", "p", born), *contents])
    today = day_of(scene.together.clock())
    scene.say(
        "north",
        taken.subject,
        [
            ("nurse-north", "consent", today, {"grant": taken.grant, "form": taken.form}),
            ("nurse-north", "visit", today, {"visit": "screen"}),
        ],
    )
    return taken.subject


def fields_of(told: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, _, value in (each.partition("=") for each in told)}


@pytest.fixture
def sourced(scene: Scene, terms: bytes) -> Scene:
    """The trial once more, founded anew with criteria by expression."""
    other = Scene(scene.together, b"sourced-study-01", scene.persons)
    other.sites, other.trustees, other.threshold = scene.sites, scene.trustees, scene.threshold
    made = other.commit(other.deal(), terms=terms)
    other.sign_all(made.waiting)
    for member, step in (("ethics", "approve"), ("authority", "approve"), ("sponsor", "register")):
        other.step(member, step, "NCT00000001 Another")
    other.open_sites()
    other.step("sponsor", "open")
    return other


def test_criteria_are_read_from_records_and_items_traced_to_theirs(sourced: Scene) -> None:
    scene, north = sourced, sourced.node("north")
    subject = consented(scene, 700, observation("o1", "pain", "6", "1"), observation("o2", "weight", "70500", "g"))
    request = ScreenSubject(study=scene.id, subject=subject)
    told = screen_subject(north, request)
    answers = fields_of(told.fields)
    assert (answers["adult"], answers["pain"], told.records) == ("yes", "yes", 3)
    assert told.attested == ("allergy", "other-trial")
    attested = {"allergy": "no", "other-trial": "no"}
    with pytest.raises(Forbidden, match=r"trials\.criterion"):
        scene.say("north", subject, [("nurse-north", "screen", "", answers | attested | {"adult": "no"})])
    scene.say("north", subject, [("nurse-north", "screen", "", answers | attested)])
    assert scene.say("north", subject, [("investigator-north", "eligible", "", {})]).acts == 4

    kilograms = "Observation.value.toQuantity('kg')"
    reading = ReadItem(study=scene.id, subject=subject, record="Observation/o2", expression=kilograms, item="WEIGHT")
    item = fields_of(read_item(north, reading).fields)
    assert item["item.WEIGHT"] == "70.5"
    place = {"visit": "screen", "activity": "measure"}
    today = day_of(scene.together.clock())
    with pytest.raises(Forbidden, match=r"trials\.source"):
        scene.say("north", subject, [("nurse-north", "form", today, place | item | {"item.WEIGHT": "71"})])
    typed = place | item | {"item.WEIGHT": "71", "traced.WEIGHT": "70.5"}
    scene.say("north", subject, [("nurse-north", "form", today, typed)])
    asked = TraceItem(study=scene.id, subject=subject, item="screen/measure/1/WEIGHT")
    traced = trace_item(north, asked)
    assert (traced.sound, traced.value, traced.read, traced.record) == (True, "71", "70.5", "Observation/o2 version 1")
    index, size = (int(each) for each in traced.path[0].split("/"))
    siblings = tuple(bytes.fromhex(each) for each in traced.path[1:])
    assert root_from_batch(bytes.fromhex(traced.leaf), index, size, siblings).hex() == traced.root
    outcome = north.ledger.outcome(bytes.fromhex(traced.transaction))
    assert outcome is not None
    assert bytes.fromhex(traced.root) in outcome.data
    monitor = scene.public("monitor").hex()
    stranger = TraceItem(study=scene.id, subject=subject, item=asked.item, person=scene.public("stranger").hex())
    with pytest.raises(Forbidden, match=r"trials\.not-delegated"):
        trace_item(north, stranger)
    assert trace_item(north, TraceItem(study=scene.id, subject=subject, item=asked.item, person=monitor)).sound
    scene.say("north", subject, [("monitor", "verify", "", {"item": "screen/measure/1/WEIGHT"})])
    link = one(north, Subject, scene.study + bytes.fromhex(subject)).link
    lines = [each for each in north.vault.lines(Side.CUSTODIAN, link) if each.disclosure.action.startswith("trial-")]
    assert {each.disclosure.purpose for each in lines} == {"CLINTRCH"}
    assert [(each.disclosure.action, each.disclosure.member, each.disclosure.role) for each in lines] == [
        ("trial-screen", "north", ""),
        ("trial-read", "north", ""),
        ("trial-trace", "north", ""),
        ("trial-trace", "sponsor", "monitor"),
        ("trial-verify", "sponsor", "monitor"),
    ]
    assert lines[3].disclosure.what == ("Observation/o2/1",)
    assert lines[3].disclosure.person == monitor[:16]
    assert all(each.anchoring is not None for each in lines)
    with pytest.raises(NotFound, match=r"trials\.no-source"):
        trace_item(north, TraceItem(study=scene.id, subject=subject, item="screen/measure/1/PULSE"))


def test_attack_sources_that_are_none(sourced_again: Scene) -> None:
    scene, north = sourced_again, sourced_again.node("north")
    subject = consented(scene, 710, observation("o3", "pain", "2", "1"))
    other = consented(scene, 711, observation("o4", "pulse", "70", "1"))
    told = screen_subject(north, ScreenSubject(study=scene.id, subject=subject))
    assert fields_of(told.fields)["pain"] == "no"
    wrong = {"study": scene.id, "subject": subject, "item": "PULSE"}
    with pytest.raises(NotFound, match=r"trials\.no-record"):
        read_item(north, ReadItem(record="Observation/o4", expression="Observation.id", **wrong))
    for expression in ("Observation.(", "Observation.value", "Observation.note"):
        with pytest.raises(Malformed, match=r"trials\.expression"):
            read_item(north, ReadItem(record="Observation/o3", expression=expression, **wrong))
    theirs = ReadItem(
        study=scene.id, subject=other, record="Observation/o4", expression="Observation.value.value", item="PULSE"
    )
    fields = fields_of(read_item(north, theirs).fields) | {"visit": "screen"}
    with pytest.raises(Forbidden, match=r"trials\.source"):  # a record of somebody else
        scene.say("north", subject, [("nurse-north", "form", "2026-01-01", fields)])
    with pytest.raises(Malformed, match=r"trials\.source"):
        scene.say("north", subject, [("nurse-north", "form", "2026-01-01", fields | {"source.PULSE": "x y"})])


@pytest.fixture
def sourced_again(scene: Scene) -> Scene:
    """The same trial as the test before left it."""
    again = Scene(scene.together, b"sourced-study-01", scene.persons)
    again.sites = scene.sites
    return again
