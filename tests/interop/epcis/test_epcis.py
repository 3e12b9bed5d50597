"""Documents in three forms with one hash; everything invalid refused with its element and rule."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.agreements.supply.goods import replay
from salus.core.proof.event import field_leaf
from salus.interop.epcis import times
from salus.interop.epcis.canonical import canonical_form, field_leaves, field_salt
from salus.interop.epcis.document import read, write_json
from salus.interop.epcis.findings import findings
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.xml_writer import write_xml

from .documents import CASE, CREATED, MAKER, WHOLESALER, commissioning, document, event, packing, shipping, unit

REPACKED = event(
    "TransformationEvent", 11, inputEPCList=[unit(1)], outputEPCList=[unit(901), unit(902)], bizStep="repackaging"
)
SOLD = event(
    "TransactionEvent",
    12,
    bizTransactionList=[{"type": "inv", "bizTransaction": "urn:epcglobal:cbv:bt:0614141000005:43"}],
    epcList=[unit(901)],
    action="ADD",
    quantityList=[{"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": 2.50, "uom": "KGM"}],
)
TAKEN_BACK = shipping(
    errorDeclaration={
        "declarationTime": CREATED,
        "reason": "did_not_occur",
        "correctiveEventIDs": ["urn:uuid:00000000-0000-4000-8000-000000000099"],
    },
    **{"ex:truck": {"ex:dock": "7", "ex:seal": ["a<b&c", "d"]}},
)
OLD = [commissioning(), packing(), shipping(), REPACKED, SOLD, TAKEN_BACK]
NEW = [
    event("AssociationEvent", 13, parentID=unit(1), childEPCs=[unit(2)], action="ADD", bizStep="installing"),
    shipping(
        hour=14,
        persistentDisposition={"set": ["completeness_verified"], "unset": ["completeness_inferred"]},
        certificationInfo="https://certificates.example/7",
        sensorElementList=[
            {
                "sensorMetadata": {"time": CREATED, "ex:room": "cold"},
                "sensorReport": [{"type": "Temperature", "value": 4.50, "uom": "CEL", "component": "x"}],
            }
        ],
    ),
]


def hashes(data):
    return [each.hash for each in read(data)]


def test_json_and_both_xml_have_one_hash():
    given_ = document(*OLD)
    events = read(given_)
    assert [each.kind for each in events] == [each["type"] for each in OLD]
    for again in (write_json(events, CREATED), write_xml(events, CREATED), write_xml(events, CREATED, "1.2")):
        assert hashes(again) == hashes(given_)


def test_what_is_new_in_2_0_goes_through_xml_2_0_and_is_refused_in_1_2():
    events = read(document(*NEW))
    assert hashes(write_xml(events, CREATED)) == hashes(write_json(events, CREATED)) == [each.hash for each in events]
    for each in events:
        with pytest.raises(EpcisRefused) as refused:
            write_xml([each], CREATED, "1.2")
        assert refused.value.rule == "epcis.not-in-1.2"


def test_a_12_document_has_its_extensions_where_the_schema_wants_them():
    text = write_xml(read(document(*OLD)), CREATED, "1.2").decode()
    assert "<baseExtension><eventID>" in text
    assert "<extension><sourceList>" in text
    assert "<extension><TransformationEvent>" in text
    assert "urn:epcglobal:cbv:bizstep:shipping" in text


def test_order_form_and_zone_do_not_change_the_hash():
    first = shipping(epcList=[unit(1), unit(2)])
    second = shipping(
        epcList=["https://id.gs1.org/01/10614141073464/21/2", "https://shop.example/01/10614141073464/21/1"],
        eventTime="2026-03-01T11:00:00+01:00",
        bizStep="https://ref.gs1.org/cbv/BizStep-shipping",
        recordTime=CREATED,
    )
    second = dict(random.Random(7).sample(sorted(second.items()), len(second)))
    assert hashes(document(first)) == hashes(document(second))


@pytest.mark.parametrize("name", ["epcList", "bizStep", "eventTime", "sourceList", "ex:truck", "eventID"])
def test_each_change_changes_the_hash(name):
    changed = {
        "epcList": [unit(3)],
        "bizStep": "receiving",
        "eventTime": "2026-03-01T10:00:00.001Z",
        "sourceList": [{"type": "location", "source": MAKER}],
        "ex:truck": "9",
        "eventID": "urn:uuid:1",
    }
    assert hashes(document(shipping())) != hashes(document(shipping() | {name: changed[name]}))


def test_a_shown_field_proves_itself_and_hides_the_others():
    (one,) = read(document(shipping()))
    secret = bytes(range(32))
    leaves = field_leaves(one.kind, one.fields, secret)
    value = canonical_form(one.kind, one.fields)["epcList"]
    shown = field_leaf(field_salt(secret, "epcList"), "epcList", value)
    assert leaves["epcList"] == shown
    forged = field_leaf(field_salt(secret, "epcList"), "epcList", [unit(5)])
    assert leaves["epcList"] != forged
    assert field_leaves(one.kind, one.fields, bytes(32))["epcList"] != shown


def measured(number):
    """Return a document whose sensor told this number."""
    return (
        document(NEW[1]).replace(b'"value": 4.5', b'"value": ' + number).replace(b'"value":4.5', b'"value":' + number)
    )


def measured_in_xml(text):
    (one,) = read(document(NEW[1]))
    return write_xml([one], CREATED).replace(b'value="4.5"', f'value="{text}"'.encode())


def without(fields, name):
    return {each: value for each, value in fields.items() if each != name}


INVALID = [
    (b"{", "epcis.json"),
    (b'{"type": "EPCISDocument", "type": "x"}', "epcis.twice"),
    (b'{"a": NaN}', "epcis.json"),
    (b"[" * 100_000, "epcis.json"),
    (b'{"type": "Else"}', "epcis.document"),
    (document(shipping(), schemaVersion="1.2"), "epcis.version"),
    (document(shipping(), creationDate="yesterday"), "epcis.time"),
    (document(shipping(), epcisBody={}), "epcis.missing"),
    (document(without(shipping(), "eventTime")), "epcis.missing"),
    (document(without(shipping(), "action")), "epcis.missing"),
    (document(shipping(eventTime="2026-02-30T10:00:00Z")), "epcis.time"),
    (document(shipping(eventTime="2026-03-01T10:00:00")), "epcis.time"),
    (document(shipping(eventTimeZoneOffset="+15:00")), "epcis.offset"),
    (document(shipping(action="MOVE")), "epcis.action"),
    (document(shipping(bizStep="teleporting")), "epcis.word"),
    (document(shipping(disposition="urn:epcglobal:cbv:disp:lost")), "epcis.word"),
    (document(shipping(speed=7)), "epcis.field"),
    (document(shipping(**{"nope:speed": 7})), "epcis.prefix"),
    (document(shipping(epcList=[])), "epcis.what"),
    (document(shipping(epcList=[unit(1), unit(1)])), "epcis.twice"),
    (document(shipping(epcList=["https://id.gs1.org/01/10614141073465/21/1"])), "gs1.csum"),
    (document(shipping(epcList=["no uri"])), "epcis.uri"),
    (document(shipping(epcList="urn:x:y")), "epcis.shape"),
    (document(shipping(ilmd={"cbvmda:lotNumber": "1"})), "epcis.ilmd"),
    (document(shipping(sourceList=[{"source": MAKER}])), "epcis.missing"),
    (document(packing(childEPCs=[CASE])), "epcis.cycle"),
    (document(without(packing(), "parentID")), "epcis.missing"),
    (document(SOLD | {"quantityList": [{"epcClass": unit(1), "quantity": -1}]}), "epcis.quantity"),
    (document(SOLD | {"quantityList": [{"epcClass": unit(1), "quantity": 1, "uom": "kilo"}]}), "epcis.uom"),
    (document(without(REPACKED, "outputEPCList")), "epcis.what"),
    (document(NEW[1] | {"sensorElementList": [{"sensorReport": []}]}), "epcis.missing"),
    (document(NEW[1] | {"persistentDisposition": {"keep": ["active"]}}), "epcis.persistent"),
    (document(event("ParadeEvent", 9)), "epcis.type"),
    (document(SOLD).replace(b'"EPCISDocument"', b'["EPCISDocument"]'), "epcis.document"),
    (measured(b'"\\ud83d"'), "epcis.json"),
    (document(NEW[1]).replace(b"ex:room", b"ex:\\udc00"), "epcis.json"),
    (measured(b"1e999999999"), "epcis.limit"),
    (measured(b"-1E-999999999"), "epcis.limit"),
    (measured(b"9" * 61), "epcis.limit"),
    (measured(b"1e9999999999"), "epcis.quantity"),
    (measured_in_xml("1e999999999"), "epcis.limit"),
    (measured_in_xml("1_000"), "epcis.quantity"),
    (measured_in_xml("NaN"), "epcis.quantity"),
    (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "epcis.declaration"),
    (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "epcis.declaration"),
    (b"<a>" * 60 + b"</a>" * 60, "epcis.limit"),
    (b"<a>", "epcis.xml"),
    (b'<?xml version="1.0" encoding="no-such"?><a/>', "epcis.xml"),
    (b"<a/>", "epcis.document"),
    (b'<e:EPCISDocument xmlns:e="urn:epcglobal:epcis:xsd:2" schemaVersion="3.0"/>', "epcis.version"),
    (b'<e:EPCISDocument xmlns:e="urn:epcglobal:epcis:xsd:2" schemaVersion="2.0"/>', "epcis.missing"),
]


@pytest.mark.parametrize("text", ["12345678901234567890.123456789", "-0.0", "1E5", "100", "9" * 40, "4.50", "1e-30"])
def test_a_number_goes_out_as_it_came_and_the_hash_stays(text):
    (one,) = read(measured(text.encode()))
    for written in (write_json([one], CREATED), write_xml([one], CREATED)):
        assert [each.hash for each in read(written)] == [one.hash]


@pytest.mark.parametrize(("data", "rule"), INVALID, ids=[f"{place}-{rule}" for place, (_, rule) in enumerate(INVALID)])
def test_the_invalid_is_refused_with_element_and_rule(data, rule):
    with pytest.raises(EpcisRefused) as refused:
        read(data)
    assert refused.value.rule == rule
    assert refused.value.at
    assert refused.value.expected
    assert "0614141" not in str(refused.value)


@given(st.data())
def test_a_damaged_document_gives_events_or_the_named_error(data):
    good = data.draw(st.sampled_from([document(*OLD), write_xml(read(document(*OLD)), CREATED, "1.2")]))
    start = data.draw(st.integers(0, len(good)))
    noise = data.draw(st.binary(max_size=8))
    try:
        read(good[:start] + noise + good[start + data.draw(st.integers(0, 40)) :])
    except EpcisRefused as refused:
        assert refused.rule  # noqa: PT017 - anything else would fail the test


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*OLD, *NEW]), st.data(), JSON)
def test_any_value_in_any_field_gives_events_with_hash_or_the_named_error(fields, data, value):
    name = data.draw(st.sampled_from(sorted(fields)))
    try:
        for each in read(document(fields | {name: value})):
            assert len(each.hash) == 32
            write_json([each], CREATED)
    except EpcisRefused as refused:
        assert refused.rule  # noqa: PT017 - anything else would fail the test


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_times_come_back(time):
    assert times.milliseconds(times.text(time), "") == time


@pytest.mark.parametrize("text", ["2026-03-01T06:00:00-06:00", "2026-03-01T14:30:00.000999+02:30"])
def test_offsets_count(text):
    assert times.milliseconds(text, "") == times.milliseconds(CREATED, "")


def test_a_list_of_extensions_of_one_is_as_in_xml():
    many, one = shipping(**{"ex:a": ["7"]}), shipping(**{"ex:a": "7"})
    assert hashes(document(many)) == hashes(document(one))
    assert json.loads(write_json(read(document(one)), CREATED))["@context"][1] == {"ext1": "https://ex.example/ns/"}


def test_what_the_standard_allows_and_looks_wrong_is_taken_in_and_told():
    doubtful = shipping(
        epcList=["https://maker.example/01/10614141073465/21/1", "https://maker.example/8003/952012200000001004"],
        destinationList=[{"type": "cbv:some_party", "destination": WHOLESALER}],
        persistentDisposition={"set": ["cbv:frozen"]},
        errorDeclaration={"declarationTime": CREATED, "reason": "cbv:whim"},
        disposition="cbv:lost",
    )
    events = read(document(shipping(disposition="cbv:Disp-in_transit"), doubtful))
    assert [(each.rule, each.at.partition("/1/")[2]) for each in findings(events)] == [
        ("gs1.csum", "epcList/0"),
        ("gs1.zero", "epcList/1"),
        ("epcis.word", "disposition"),
        ("epcis.word", "destinationList/0/type"),
        ("epcis.word", "persistentDisposition/set/0"),
        ("epcis.word", "errorDeclaration/reason"),
    ]
    assert hashes(write_xml(events, CREATED)) == hashes(write_json(events, CREATED)) == [each.hash for each in events]
    assert replay(events).contents == {}
    assert "10614141073465" not in str(findings(events))


@pytest.mark.parametrize("word", ["cbv:Disp-lost", "urn:epcglobal:cbv:disp:lost", "https://ns.gs1.org/cbv/lost"])
def test_a_word_that_claims_a_list_of_the_standard_must_be_in_it(word):
    with pytest.raises(EpcisRefused) as refused:
        read(document(shipping(disposition=word)))
    assert refused.value.rule == "epcis.word"
