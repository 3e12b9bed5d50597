"""FHIR XML becomes the same resource as FHIR JSON; whatever is not FHIR XML is refused with the element named."""

import gzip
import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.tokens import Limits
from salus.interop.fhir.xml_reader import to_json
from tests.interop.fhir.xml_writer import to_xml

OFFICIAL = Path(__file__).parent / "official"
SAMPLE = Path(__file__).parents[3] / "samples" / "lake-clinic.ndjson.gz"
FHIR = 'xmlns="http://hl7.org/fhir"'
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


def decoded(raw):
    return json.loads(raw, parse_float=Decimal)


def narrative(tree):
    """Take a narrative's XHTML out of a resource, in one form: quotes in text may be written in two."""
    div = tree["text"].pop("div")
    return div.replace("&quot;", '"').replace("&#39;", "'")


def patient(inner, attributes=""):
    return f"<Patient {FHIR}{attributes}>{inner}</Patient>".encode()


def refusal(raw, **limits):
    with pytest.raises(Refused) as caught:
        to_json(raw, **limits)
    return caught.value.code, caught.value.path


@pytest.mark.parametrize("name", sorted(one.stem for one in OFFICIAL.glob("*.xml")))
def test_an_official_example_is_the_same_in_both_forms(name):
    got = decoded(to_json((OFFICIAL / f"{name}.xml").read_bytes()))
    want = decoded((OFFICIAL / f"{name}.json").read_bytes())
    assert narrative(got) == narrative(want)
    assert got == want
    assert read_resource(to_json((OFFICIAL / f"{name}.xml").read_bytes())).id == want["id"]


def test_every_sample_comes_back_from_xml_token_by_token():
    kinds = Counter()
    for line in gzip.decompress(SAMPLE.read_bytes()).splitlines():
        tree = decoded(line)
        kinds[tree["resourceType"]] += 1
        if kinds[tree["resourceType"]] > 20:
            continue
        assert decoded(to_json(to_xml(tree))) == tree
    assert len(kinds) >= 5


RICH = {
    "resourceType": "Bundle",
    "id": "b",
    "type": "collection",
    "entry": [
        {
            "fullUrl": "urn:uuid:9d3b6a0c-6f0e-4d0b-8a55-0e4f3a0b1c2d",
            "resource": {
                "resourceType": "Patient",
                "id": "p",
                "contained": [{"resourceType": "Organization", "id": "o", "name": "A & B <\"'>"}],
                "extension": [{"url": "urn:x", "valueDecimal": Decimal("1.50")}],
                "active": True,
                "_active": {"id": "a1"},
                "name": [
                    {"id": "n1", "given": ["Ada", None, "B"], "_given": [None, {"extension": [{"url": "urn:y"}]}, None]}
                ],
                "_birthDate": {"extension": [{"url": "urn:absent", "valueCode": "unknown"}]},
                "multipleBirthInteger": 2,
                "managingOrganization": {"reference": "#o"},
            },
        },
        {"resource": {"resourceType": "Questionnaire", "item": [{"linkId": "1", "item": [{"linkId": "1.1"}]}]}},
    ],
}


def test_ids_extensions_padding_contained_and_entries_stand_where_json_has_them():
    assert decoded(to_json(to_xml(RICH))) == RICH


def test_values_that_only_have_extensions_leave_no_list_of_nulls():
    given_only = '<name><given><extension url="urn:x"><valueBoolean value="true"/></extension></given></name>'
    (name,) = decoded(to_json(patient(given_only)))["name"]
    assert name == {"_given": [{"extension": [{"url": "urn:x", "valueBoolean": True}]}]}


def test_the_digits_of_a_decimal_stay():
    told = '<code><text value="x"/></code><valueQuantity><value value="{}"/></valueQuantity>'
    for digits in ("1.50", "-0.0", "1E-3", "100000000000000000000.000", "+2.0"):
        raw = to_json(f"<Observation {FHIR}>{told.format(digits)}</Observation>".encode())
        assert f'"value":{digits.lstrip("+")}}}'.encode() in raw


def test_narrative_keeps_its_elements_attributes_text_and_comments():
    inner = (
        '<p class="a &quot;b&quot;" xml:lang="de">1 &lt; 2 &amp; ä<br></br><!-- c --><img src="#x" alt="y"></img></p>'
    )
    raw = to_json(patient(f'<text><status value="generated"/>{DIV}{inner}</div></text>'))
    got = decoded(raw)["text"]["div"]
    assert got == f"{DIV}{inner}</div>".replace('"a &quot;b&quot;"', "'a \"b\"'")


def test_a_narrative_under_a_prefix_is_told_without_it():
    raw = patient(
        '<text><status value="generated"/><h:div><h:p>x</h:p></h:div></text>',
        ' xmlns:h="http://www.w3.org/1999/xhtml"',
    )
    assert decoded(to_json(raw))["text"]["div"] == f"{DIV}<p>x</p></div>"


def test_comments_blanks_and_a_schema_location_say_nothing():
    where = (
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir patient.xsd"'
    )
    raw = b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>" + patient(
        '\n <!-- x --> <gender value="male"/>\n', where
    )
    assert decoded(to_json(raw)) == {"resourceType": "Patient", "gender": "male"}


FAULTS = {
    "an element that R4 lacks": ('<gendr value="male"/>', "unknown-element", "Patient"),
    "an element of another namespace": ('<x:gender xmlns:x="urn:x" value="male"/>', "unknown-element", "Patient"),
    "a nested element that R4 lacks": ("<name><first/></name>", "unknown-element", "Patient.name[0]"),
    "an attribute that R4 lacks": ('<gender code="male"/>', "unknown-element", "Patient.gender"),
    "an attribute of the schema below the root": (
        '<gender xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x"/>',
        "unknown-element",
        "Patient.gender",
    ),
    "a value on a complex element": ('<name value="x"/>', "unknown-element", "Patient.name[0]"),
    "an element of a primitive": ('<gender value="male"><coding/></gender>', "unknown-element", "Patient.gender"),
    "text": ("<gender>male</gender>", "unknown-element", "Patient.gender"),
    "another order": ('<gender value="male"/><active value="true"/>', "element-order", "Patient"),
    "repeats that are apart": ('<name/><gender value="male"/><name/>', "element-order", "Patient"),
    "two of what comes once": ('<gender value="male"/><gender value="male"/>', "repeated-element", "Patient"),
    "two types of a choice": (
        '<deceasedBoolean value="true"/><deceasedDateTime value="2020"/>',
        "repeated-element",
        "Patient",
    ),
    "no boolean": ('<active value="TRUE"/>', "wrong-kind", "Patient.active"),
    "no integer": ('<multipleBirthInteger value="1.0"/>', "wrong-kind", "Patient.multipleBirthInteger"),
    "no resource": ("<contained><name/></contained>", "unknown-type", "Patient.contained[0]"),
    "two resources": (f"<contained><Basic {FHIR}/><Basic/></contained>", "repeated-element", "Patient.contained[0]"),
    "an attribute of a container": (
        '<contained id="x"><Basic/></contained>',
        "unknown-element",
        "Patient.contained[0]",
    ),
    "a narrative of no namespace": (
        '<text><status value="generated"/><div/></text>',
        "unknown-element",
        "Patient.text",
    ),
    "FHIR in a narrative": (f"<text>{DIV}<name {FHIR}/></div></text>", "unknown-element", "Patient.text.div"),
    "no XML": ("<name>", "not-xml", ""),
    "a named character of HTML": (f"<text>{DIV}&nbsp;</div></text>", "not-xml", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_with_its_element(fault):
    inner, code, path = FAULTS[fault]
    assert refusal(patient(inner)) == (code, path)


@pytest.mark.parametrize("digits", ["NaN", "1.", ".5", "0x1", "1,5", "", "01", "9" * 65, "\u0661"])
def test_no_decimal_is_made_of_what_is_none(digits):
    told = f'<valueQuantity><value value="{digits}"/></valueQuantity>'
    raw = f"<Observation {FHIR}>{told}</Observation>".encode()
    assert refusal(raw) == ("wrong-kind", "Observation.valueQuantity.value")


ENTITY = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
EXTERNAL = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
HOSTILE = {
    "entities that grow": ENTITY + patient('<gender value="&b;"/>'),
    "an external entity": EXTERNAL + patient('<gender value="&a;"/>'),
    "an external document type": b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">' + patient(""),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_declarations_are_refused_before_they_are_read(attack):
    assert refusal(HOSTILE[attack]) == ("xml-declaration", "")


def test_size_depth_and_elements_are_bounded(monkeypatch):
    few = Limits(resource_bytes=100, bundle_bytes=200, depth=8)
    long = '<gender value="{}"/>'
    assert refusal(patient(long.format("x" * 100)), limits=few)[0] == "oversized"
    bundle = f"<Bundle {FHIR}><id value='{{}}'/></Bundle>"
    assert b"Bundle" in to_json(bundle.format("x" * 100).encode(), limits=few)
    assert refusal(bundle.format("x" * 200).encode(), limits=few)[0] == "oversized"
    deep = "<extension url='x'>" * 200 + "</extension>" * 200
    assert refusal(patient(deep))[0] == "too-deep"
    assert refusal(patient(f"<text>{DIV}{'<p>' * 200}{'</p>' * 200}</div></text>"))[0] == "too-deep"
    monkeypatch.setattr("salus.interop.fhir.xml_reader.MAX_ELEMENTS", 10)
    assert refusal(patient("<name/>" * 10))[0] == "oversized"


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "utf-7", "x-none"])
def test_another_encoding_is_refused(encoding):
    raw = f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + patient("")
    assert refusal(raw)[0] == "not-utf8"


def test_utf_16_is_no_utf_8():
    assert refusal(f"<Patient {FHIR}/>".encode("utf-16"))[0] == "not-utf8"


WORD = re.compile(rb"[A-Za-z]+|[0-9]+|[<>/\"'&;#=]")
PIECES = sorted({one for file in OFFICIAL.glob("*.xml") for one in WORD.findall(file.read_bytes())})


@given(st.data())
def test_mutilated_xml_gives_a_resource_or_a_refusal_never_anything_else(data):
    raw = bytearray((OFFICIAL / "patient-example.xml").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        raw[at : at + data.draw(st.integers(0, 40))] = data.draw(st.sampled_from(PIECES))
    try:
        told = to_json(bytes(raw))
    except Refused:
        return
    assert decoded(told)["resourceType"]
