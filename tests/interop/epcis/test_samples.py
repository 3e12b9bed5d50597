"""Documents of GS1 and OpenEPCIS, not ours: read, written out in every form that can say them, valid, with the same hash."""

import jsonschema_rs
import pytest
from lxml import etree
from msgspec import json

from salus.interop.epcis.document import read, write_json
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.xml_writer import write_xml
from tests.needs import shared

from .documents import CREATED

TWICE = "AssociationEvent-h.jsonld"
"""An example of GS1 that has a name twice in one object, which RFC 8259 leaves undefined."""


@pytest.fixture(scope="module")
def documents() -> dict[str, bytes]:
    folders = (shared("data/epcis/gs1-examples"), shared("data/epcis/openepcis-2.0-json"))
    files = [path for folder in folders for path in folder.rglob("*.json*")]
    return {path.name: path.read_bytes() for path in files}


def test_every_document_is_taken_and_its_hash_survives_every_form(documents: dict[str, bytes]) -> None:
    older = 0
    for name, data in documents.items():
        if name == TWICE:
            with pytest.raises(EpcisRefused) as refused:
                read(data)
            assert refused.value.rule == "epcis.twice"
            continue
        events = read(data)
        hashes = [event.hash for event in events]
        for written in (write_json(events, CREATED), write_xml(events, CREATED, "2.0")):
            assert [event.hash for event in read(written)] == hashes, name
        try:
            old = write_xml(events, CREATED, "1.2")
        except EpcisRefused:  # it has what 1.2 cannot say
            continue
        older += 1
        assert [event.hash for event in read(old)] == hashes, name
    assert len(documents) > 60
    assert older > 20


def test_what_came_valid_goes_out_valid_by_the_standards_schemas(documents: dict[str, bytes]) -> None:
    valid = jsonschema_rs.validator_for(json.decode(shared("data/epcis/schema/EPCIS-JSON-Schema.json").read_bytes()))
    schema = etree.XMLSchema(etree.parse(shared("data/epcis/schema/EPCglobal-epcis-2_0.xsd")))
    came = [name for name, data in documents.items() if valid.is_valid(json.decode(data))]
    for name, data in documents.items():
        if name == TWICE:
            continue
        events = read(data)
        if name in came:
            assert [each.message for each in valid.iter_errors(json.decode(write_json(events, CREATED)))] == [], name
        schema.validate(etree.fromstring(write_xml(events, CREATED, "2.0")))
        assert list(schema.error_log) == [], name
    assert len(documents) - len(came) <= 4  # words of sensors and a field that the JSON schema of GS1 does not have
