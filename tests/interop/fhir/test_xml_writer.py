"""FHIR JSON becomes the same resource as FHIR XML; what XML cannot say is refused with the element named."""

import gzip
import json
from collections import Counter
from decimal import Decimal
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.survey import TYPES
from salus.interop.fhir.xml_reader import to_json
from salus.interop.fhir.xml_writer import to_xml
from tests.index.filled import filled
from tests.interop.fhir import xml_writer as apart
from tests.interop.fhir.test_xml_reader import DIV, OFFICIAL, RICH, SAMPLE, decoded, narrative

UNWRITABLE = {chr(n) for n in range(32)} - set("\n\r\t") | {"\ufffe", "\uffff"}


def written(tree):
    return to_xml(json.dumps(tree, default=str).encode())


def refusal(tree):
    with pytest.raises(Refused) as caught:
        written(tree)
    return caught.value.code, caught.value.path


@pytest.mark.parametrize("name", sorted(one.stem for one in OFFICIAL.glob("*.json")))
def test_an_official_example_comes_back_token_by_token(name):
    raw = (OFFICIAL / f"{name}.json").read_bytes()
    got, want = decoded(to_json(to_xml(raw))), decoded(raw)
    assert narrative(got) == narrative(want)
    assert got == want


def test_every_element_of_every_type_comes_back():
    for kind in sorted(TYPES):
        raw = json.dumps(filled(kind)[0]).encode()
        assert decoded(to_json(to_xml(raw))) == decoded(raw), kind


@pytest.mark.parametrize("name", sorted(one.stem for one in OFFICIAL.glob("*.xml")))
def test_what_was_xml_is_the_same_xml_again(name):
    def events(raw):
        """Return elements and attributes in their order but for the root's: text between elements is layout."""
        found = []
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = lambda name, told: found.append((name, tuple(sorted(told.items()))))
        parser.EndElementHandler = found.append
        parser.Parse(raw, True)
        return found[1:]

    received = (OFFICIAL / f"{name}.xml").read_bytes()
    assert events(to_xml(to_json(received))) == events(received)


def test_every_sample_comes_back_and_is_what_another_writer_writes():
    kinds = Counter()
    for line in gzip.decompress(SAMPLE.read_bytes()).splitlines():
        tree = decoded(line)
        kinds[tree["resourceType"]] += 1
        if kinds[tree["resourceType"]] > 20:
            continue
        told = to_xml(line)
        assert decoded(to_json(told)) == tree
        assert to_json(told) == to_json(apart.to_xml(tree))
    assert len(kinds) >= 5


def test_ids_extensions_padding_contained_and_entries_come_back():
    raw = apart.to_xml(RICH)
    assert decoded(to_json(to_xml(to_json(raw)))) == RICH


@pytest.mark.parametrize("digits", ["1.50", "-0.0", "1E-3", "100000000000000000000.000", "7"])
def test_the_digits_of_a_decimal_stay(digits):
    raw = f'{{"resourceType":"Observation","valueQuantity":{{"value":{digits}}}}}'.encode()
    assert f'<value value="{digits}"/>'.encode() in to_xml(raw)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1))
def test_any_text_comes_back_or_is_refused(text):
    tree = {"resourceType": "Patient", "name": [{"family": text}]}
    if UNWRITABLE.intersection(text):
        assert refusal(tree) == ("no-xml", "Patient.name[0].family")
    else:
        assert decoded(to_json(written(tree))) == tree


def test_what_xml_cannot_say_is_refused():
    assert refusal({"resourceType": "Patient", "nonsense": 1}) == ("no-xml", "Patient")
    assert refusal({"resourceType": "Patient", "name": [{}, {"fam": "x"}]}) == ("no-xml", "Patient.name[1]")
    assert refusal({"resourceType": "Patient", "gender": "\x01"}) == ("no-xml", "Patient.gender")


@pytest.mark.parametrize(
    "div",
    [
        f"{DIV}<p>x</div>",
        f"{DIV}x</div><script xmlns='http://www.w3.org/1999/xhtml'/>",
        "<!DOCTYPE div [<!ENTITY a 'b'>]><div xmlns='http://www.w3.org/1999/xhtml'>&a;</div>",
        f"{DIV}&nbsp;</div>",
        "<div xmlns='urn:other'/>",
        "<divan/>",
        "text",
        "",
    ],
)
def test_narrative_that_is_not_one_div_is_refused(div):
    tree = {"resourceType": "Patient", "text": {"status": "generated", "div": div}}
    assert refusal(tree) == ("no-xml", "Patient.text.div")


def test_narrative_stays_and_gets_its_namespace():
    for div in (f'{DIV}<p class="a">1 &lt; 2</p></div>', "<div><p>x</p></div>"):
        tree = {"resourceType": "Patient", "text": {"status": "generated", "div": div}}
        got = decoded(to_json(written(tree)))
        assert got["text"]["div"] == div.replace("<div>", DIV)


def test_what_is_written_passes_the_gate():
    tree = {"resourceType": "Observation", "id": "o", "status": "final", "valueQuantity": {"value": Decimal("1.0")}}
    raw = json.dumps(tree, default=float).encode()
    assert read_resource(to_json(to_xml(raw))).id == "o"
