"""Elements, references, the environment, FHIR's functions, and invariants of R4 as they are published."""

from decimal import Decimal

import msgspec
import pytest

from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath import Environment, EvaluationFailed, Quantity
from salus.interop.fhir.fhirpath.elements import narrative_is_safe

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "contained": [{"resourceType": "Organization", "id": "o1", "name": "Clinic"}],
    "name": [
        {
            "use": "official",
            "family": "Chalmers",
            "given": ["Peter", None],
            "_given": [None, {"id": "g2", "extension": [{"url": "http://x/e", "valueBoolean": True}]}],
        }
    ],
    "birthDate": "1974-12-25",
    "_birthDate": {"extension": [{"url": "http://x/time", "valueDateTime": "1974-12-25T14:35:45-05:00"}]},
    "_gender": {"extension": [{"url": "http://x/absent", "valueCode": "unknown"}]},
    "multipleBirthInteger": 2,
    "managingOrganization": {"reference": "#o1"},
    "generalPractitioner": [{"reference": "Practitioner/d1"}, {"reference": "urn:uuid:1"}, {"display": "nobody"}],
}
DOCTOR = {"resourceType": "Practitioner", "id": "d1", "active": False}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("name.given", ["Peter", None]),
        ("name.given.count()", [2]),
        ("name.given.where(hasValue())", ["Peter"]),
        ("name.given.last().id", ["g2"]),
        ("gender.exists()", [True]),
        ("gender.hasValue()", [False]),
        ("gender.getValue()", []),
        ("gender.extension('http://x/absent').value", ["unknown"]),
        ("gender = 'male'", [False]),
        ("gender.type().name", ["code"]),
        ("birthDate.extension('http://x/time').value.ofType(dateTime) > birthDate", []),
        ("multipleBirth.ofType(integer) + 1", [3]),
        ("multipleBirth.ofType(boolean)", []),
        ("multipleBirthInteger", []),
        ("deceased", []),
        ("Patient.active and Resource.id = 'p1'", [True]),
        ("managingOrganization.resolve().name", ["Clinic"]),
        ("generalPractitioner.resolve().active", [False]),
        ("generalPractitioner.resolve() is Practitioner", [True]),
        ("generalPractitioner.getReferenceKey()", ["d1"]),
        ("generalPractitioner.getReferenceKey(Patient)", []),
        ("getResourceKey()", ["p1"]),
        ("%resource.id = %context.id and %rootResource.id = %resource.id", [True]),
        ("%ucum & '|' & %sct & '|' & %loinc", ["http://unitsofmeasure.org|http://snomed.info/sct|http://loinc.org"]),
        ("%given + 1", [6]),
        ("%many.count()", [2]),
        ("now() = @2026-01-31T10:00:00+01:00", [True]),
        ("today()", ["2026-01-31"]),
        ("timeOfDay()", ["10:00:00"]),
        ("gender.memberOf('http://vs')", [True]),
        ("name.nosuch", []),
        ("contained.ofType(Organization).name", ["Clinic"]),
        ("descendants().ofType(HumanName).family", ["Chalmers"]),
        ("children().ofType(boolean)", [True]),
        ("iif(active, 'yes', 1/0)", ["yes"]),
        ("name.select(given.first() & ' ' & family)", ["Peter Chalmers"]),
        ("(1 | 2 | 3).aggregate($total + $this, 0)", [6]),
        ("name.given.select($index)", [0, 1]),
        ("'#'.resolve().id", ["p1"]),
        ("'#nobody'.resolve()", []),
        ("'Practitioner/d1'.resolve().id", ["d1"]),
        ("name.resolve()", []),
        ("'http://x/fhir/Patient/p9/_history/3'.getReferenceKey(Patient)", ["p9"]),
        ("'nothing'.getReferenceKey()", []),
        ("'urn:a/b'.getReferenceKey()", []),
        ("checkModifiers('http://x')", [PATIENT]),
        ("elementDefinition() | slice('u', 'n')", []),
        ("conformsTo('http://patient')", [True]),
        ("name.htmlChecks()", [False]),
        ("true | false.allTrue()", [True, False]),
        ("(true | false).anyTrue() and (true | false).anyFalse() and (false | {}).allFalse()", [True]),
        ("'abcabc'.lastIndexOf('c') - 'abc'.indexOf('c')", [3]),
        ("'2020-01-01'.replaceMatches('(?P<y>[0-9]+)-([0-9]+)-([0-9]+)', '$3/$2/${y}')", ["01/01/2020"]),
        ("'a'.replaceMatches('a', '$7')", [""]),
        ("'a'.encode('rot13') | 'zz'.decode('hex') | 'a'.escape('sql') | 'a'.unescape('sql')", []),
        ("'\\\\u12'.unescape('json')", ["\\u12"]),
        ("''.split('')", []),
        ("'2020-02-30'.toDate() | 'x'.toTime() | 'x'.toBoolean() | 'x'.toDecimal() | 'x'.toQuantity()", []),
        ("@2020-01-02T03:04:05Z.toDate()", ["2020-01-02"]),
        ("@2020-01-02.toDateTime() | '10:11'.toTime()", ["2020-01-02", "10:11"]),
        ("1.toQuantity().value", []),
        ("(5 'mg').round() | (5.5 'mg').floor()", [Quantity(Decimal(5), "mg")]),
        ("2.5.round() | (-2.5).round()", [3, -3]),
        ("@2020-05-06.highBoundary(6) | @T10.lowBoundary()", ["2020-05", "10:00:00.000"]),
        ("(0.5 'mg').lowBoundary(1)", [Quantity(Decimal("0.4"), "mg")]),
        ("'x'.precision() | @T10:30.precision()", [4]),
        ("name ~ name and name.given ~ name.given", [True]),
        ("name != contained", [True]),
        ("1 is System.Integer and 1 is Integer and (1 is FHIR.integer).not()", [True]),
        ("active is System.Boolean", [False]),
        ("name is Element", [True]),
    ],
)
def test_expressions(expression, expected):
    environment = Environment(
        now="2026-01-31T10:00:00+01:00",
        constants={"given": 5, "many": ["a", "b"]},
        resolve={"Practitioner/d1": DOCTOR}.get,
        member_of=lambda _, value_set: value_set == "http://vs",
        conforms_to=lambda _, profile: profile == "http://patient",
    )
    assert fhirpath.compile(expression)(PATIENT, environment) == expected


def test_decimals_keep_their_digits():
    raw = b'{"resourceType":"Observation","valueQuantity":{"value":1.50,"code":"mg"}}'
    record = msgspec.json.Decoder(float_hook=Decimal).decode(raw)
    assert str(fhirpath.compile("value.value")(record)[0]) == "1.50"
    assert fhirpath.compile("value.value.precision()")(record) == [2]
    assert fhirpath.compile("value.value.toString()")(record) == ["1.50"]


def test_numbers_of_a_plain_decoder_are_read_as_written():
    assert fhirpath.compile("value.value.lowBoundary()")(
        {"resourceType": "Observation", "valueQuantity": {"value": 1.0}}
    ) == [Decimal("0.95")]


def test_a_node_is_evaluated_as_its_type():
    node = fhirpath.r4().node({"value": 5, "code": "mg"}, "Quantity")
    assert fhirpath.compile("code.empty() or system.exists()").test(node) is False
    assert fhirpath.compile("$this > 4 'mg'").test(node) is True


def test_one_focus_serves_many_expressions():
    focus = fhirpath.Focus(PATIENT, Environment(), fhirpath.r4())
    texts = ("id", "active", "name.defineVariable('x').family", "%resource.id")
    assert [fhirpath.plain(fhirpath.compile(text).run(focus)[0]) for text in texts] == ["p1", True, "Chalmers", "p1"]
    with pytest.raises(EvaluationFailed):
        fhirpath.compile("%x").run(focus)


def test_without_a_type_json_decides():
    assert fhirpath.compile("b.where(c = 1).d")({"b": [{"c": 1, "d": "x"}, {"c": 2, "d": "y"}]}) == ["x"]
    assert fhirpath.compile("a is string")({"a": "x"}) == [True]
    assert fhirpath.compile("a.extension.url")({"a": "x", "_a": {"extension": [{"url": "u"}]}}) == ["u"]


def test_a_condition_is_true_false_or_nothing():
    assert fhirpath.compile("active").test(PATIENT) is True
    assert fhirpath.compile("name").test(PATIENT) is True
    assert fhirpath.compile("deceased").test(PATIENT) is None
    with pytest.raises(EvaluationFailed, match="takes one item, found 3"):
        fhirpath.compile("generalPractitioner").test(PATIENT)


def test_trace_goes_to_the_sink():
    seen = []
    environment = Environment(trace=lambda name, items: seen.append((name, [fhirpath.plain(item) for item in items])))
    assert fhirpath.compile("name.trace('n', family).use")(PATIENT, environment) == ["official"]
    assert seen == [("n", ["Chalmers"])]


def test_without_an_instant_there_is_no_now():
    assert fhirpath.compile("now() | today() | timeOfDay()")({}) == []


def test_an_expression_is_shared_between_evaluations():
    expression = fhirpath.compile("name.defineVariable('n', family).select(%n)")
    assert [expression(PATIENT) for _ in range(3)] == [["Chalmers"]] * 3


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("%nobody", "%nobody is not defined"),
        ("name.given + 'x'", "takes one item"),
        ("active + 1", "not defined for Boolean and Integer"),
        ("name > 1", "no value"),
        ("active.length()", "takes a string, not Boolean"),
        ("conformsTo('http://nobody')", "not known"),
        ("(1 | 2).single()", "found 2"),
        ("(true | 'x').allTrue()", "takes Booleans"),
        ("(1 | 'x').join(',')", "takes strings"),
        ("1.round(99)", "0 to 31 places"),
        ("defineVariable('ucum')", "bound already"),
        ("defineVariable(1)", "takes a name"),
        ("(1 | 2) is Integer", "found 2"),
        ("(1 | 2) in (1 | 2)", "take one item"),
        ("'a'.matches('(?=a)')", "look-around"),
        ("'a'.matches('(')", "malformed"),
    ],
)
def test_what_does_not_apply_is_refused_by_name(expression, says):
    with pytest.raises(EvaluationFailed, match=r".") as refusal:
        fhirpath.compile(expression)(PATIENT)
    assert says in str(refusal.value)
    assert "Chalmers" not in str(refusal.value)


INVARIANTS = {
    "dom-2": "contained.contained.empty()",
    "dom-3": "contained.where((('#'+id in (%resource.descendants().reference | %resource.descendants().as(canonical) | "
    "%resource.descendants().as(uri) | %resource.descendants().as(url))) or descendants().where(reference = '#').exists() or "
    "descendants().where(as(canonical) = '#').exists() or descendants().where(as(canonical) = '#').exists()).not())"
    ".trace('unmatched', id).empty()",
    "dom-4": "contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()",
    "pat-1": "contact.all(name.exists() or telecom.exists() or address.exists() or organization.exists())",
    "ele-1": "descendants().all(hasValue() or (children().count() > id.count()))",
    "ext-1": "descendants().ofType(Extension).all(extension.exists() != value.exists())",
    "ref-1": "descendants().ofType(Reference).all(reference.exists().not() or reference.startsWith('#').not() or "
    "(reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids')))",
}


@pytest.mark.parametrize("name", INVARIANTS)
def test_published_invariants_hold_for_a_good_patient(name):
    assert fhirpath.compile(INVARIANTS[name], context=["Patient"]).test(PATIENT) is True


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("dom-2", {"contained": [{"resourceType": "Basic", "id": "a", "contained": [{"resourceType": "Basic"}]}]}),
        ("dom-3", {"contained": [{"resourceType": "Basic", "id": "orphan"}]}),
        ("dom-4", {"contained": [{"resourceType": "Basic", "id": "o1", "meta": {"versionId": "1"}}]}),
        ("pat-1", {"contact": [{"gender": "male"}]}),
        ("ele-1", {"maritalStatus": {}}),
        ("ext-1", {"extension": [{"url": "u"}]}),
        ("ref-1", {"managingOrganization": {"reference": "#nobody"}}),
    ],
)
def test_published_invariants_find_the_fault(name, fault):
    assert fhirpath.compile(INVARIANTS[name]).test(PATIENT | fault) is False


@pytest.mark.parametrize(
    ("narrative", "safe"),
    [
        ("<div xmlns='http://www.w3.org/1999/xhtml'><p>fine <b>text</b></p></div>", True),
        ("<div><img src='a.png' alt='x'/></div>", True),
        ("<div> </div>", False),
        ("<p>no div</p>", False),
        ("<div>open", False),
        ("<div><script>alert(1)</script></div>", False),
        ("<div><a href='javascript:alert(1)'>x</a></div>", False),
        ("<div onclick='x()'>x</div>", False),
        ("<div><iframe src='x'>x</iframe></div>", False),
        ('<!DOCTYPE d [<!ENTITY a "b">]><div>&a;</div>', False),
        ("<div>&nbsp;</div>", False),
        ("plain", False),
    ],
)
def test_narrative(narrative, safe):
    assert narrative_is_safe(narrative) is safe
    assert fhirpath.compile("htmlChecks()").test(fhirpath.r4().node(narrative, "xhtml")) is safe


def test_a_modifier_that_is_not_known_is_refused():
    record = {"resourceType": "Patient", "modifierExtension": [{"url": "http://x/not"}]}
    assert fhirpath.compile("checkModifiers('http://x/not').exists()").test(record) is True
    with pytest.raises(EvaluationFailed, match="not known"):
        fhirpath.compile("checkModifiers('http://x/other')")(record)
