"""Nothing in XML expands: a namespace is written once and stands before every name, so that a long one would fill the memory."""

import json

import pytest

from salus.interop.cdisc.findings import DocumentRefused
from salus.interop.cdisc.odm_xml import parse as read_odm
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.xml_reader import parse as read_epcis
from salus.interop.fhir.fhirpath.elements import narrative_is_safe
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.xml_reader import to_json
from salus.interop.fhir.xml_writer import to_xml
from salus.interop.gs1.gudid import records
from salus.interop.gs1.refusal import Gs1Refused
from salus.interop.plain_xml import MAX_NAMESPACE, as_utf8, expands, looked_at

LONG = "u" * 200_000
FHIR = 'xmlns="http://hl7.org/fhir"'
NAMES = " ".join(f'p:a{at}=""' for at in range(3_000))
BOMBS = {
    "attributes of one element": f'<r xmlns:p="{LONG}" {NAMES}/>',
    "elements of many names": f"<r xmlns='{LONG}'>" + "".join(f"<a{at}/>" for at in range(3_000)) + "</r>",
    "white space around": f'<r xmlns:p\n=\t"{LONG}"/>',
    "much white space around": f'<r xmlns:p{" " * 90_000}="{LONG}"/>',
    "white space before the value": f'<r xmlns{" " * 60}={" " * 90_000}"{LONG}"/>',
    "a long prefix": f'<r xmlns:{"p" * 5_000}="{LONG}"/>',
    "just too long": f'<r xmlns="{LONG[: MAX_NAMESPACE + 1]}"/>',
}


def narrative(text):
    div = text.replace("<r", "<div").replace("</r>", "</div>")
    to_xml(json.dumps({"resourceType": "Patient", "text": {"status": "generated", "div": div}}).encode())


READERS = {
    "fhir": (to_json, Refused),
    "epcis": (read_epcis, EpcisRefused),
    "odm": (read_odm, DocumentRefused),
    "gudid": (lambda data: list(records([data[:100], data[100:]])), Gs1Refused),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("reader", READERS)
def test_attack_a_long_namespace_is_refused_before_anything_is_parsed(reader, bomb):
    read, refusal = READERS[reader]
    with pytest.raises(refusal, match="namespaces of at most"):
        read(BOMBS[bomb].encode())


@pytest.mark.parametrize("bomb", BOMBS)
def test_attack_a_long_namespace_in_narrative(bomb):
    assert not narrative_is_safe(BOMBS[bomb].replace("<r", "<div").replace("r>", "div>"))
    with pytest.raises(Refused, match="short namespaces"):
        narrative(BOMBS[bomb])


def test_what_is_declared_as_usual_is_read():
    usual = "<r xmlns:s='http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader' xmlns=\"urn:x\"/>"
    for text in (
        usual,
        f'<r a="{LONG}" xmlnsish="{LONG}"/>',
        f"<r>the text xmlns and {LONG}, or xmlns=x</r>",
        f'<r xmlns="{LONG[:MAX_NAMESPACE]}"/>',
    ):
        assert not expands(text.encode())
        read_epcis(text.encode())


@pytest.mark.parametrize("size", [1, 7, 300, 5_000])
def test_a_long_namespace_is_seen_over_the_pieces_of_a_file(size):
    data = f'<r>{"x" * 700}<a xmlns:p{" " * 64}={" " * 64}"{LONG[:1000]}"/></r>'.encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    with pytest.raises(ValueError, match="long"):
        list(looked_at(pieces, ValueError("long")))
    short = data.replace(LONG[:1000].encode(), b"urn:x")
    assert b"".join(looked_at([short[at : at + size] for at in range(0, len(short), size)], ValueError())) == short


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("UTF-8", "utf-8"), ("utf-16", "utf-16"), ("ISO-8859-1", "iso-8859-1"), ("windows-1252", "cp1252")],
)
def test_a_document_is_read_in_the_encodings_in_use_and_looked_at_in_each(encoding, written):
    told = f'<?xml version="1.0" encoding="{encoding}"?><r a="ä">{{}}</r>'
    assert read_epcis(told.format("ü").encode(written)).attributes == {"a": "ä"}
    with pytest.raises(EpcisRefused, match="namespaces of at most"):
        read_epcis(told.format(BOMBS["just too long"]).encode(written))


def test_attack_another_encoding_hides_nothing():
    for encoding in ("cp037", "utf-7", "utf-16"):
        with pytest.raises(LookupError):
            as_utf8(f'<?xml version="1.0" encoding="{encoding}"?><r/>'.encode())
    head = (
        b'<?xml version="1.0"' + b" " * 300 + b'encoding="cp037"?>'
    )  # longer than is looked at: parsed as UTF-8 all the same
    with pytest.raises(EpcisRefused, match=r"epcis\.xml"):
        read_epcis(head + BOMBS["just too long"].encode("cp037"))
