"""The gate takes what is FHIR R4 and refuses the rest by name."""

import msgspec
import pytest

from salus.interop.fhir.bundle import read_bundle
from salus.interop.fhir.gate import Resource, read_ndjson, read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.tokens import Limits

OBSERVATION = (
    b'{ "resourceType":"Observation", "id":"o-1", "status":"final",\n'
    b'  "code":{"coding":[{"system":"http://loinc.org","code":"8302-2","display":"Body \\"height\\""}]},\n'
    b'  "subject":{"reference":"Patient/p-1"}, "effectiveDateTime":"2024-02-29",\n'
    b'  "valueQuantity":{"value":1.50,"unit":"m"} }'
)


def test_raw_bytes_and_decimals_survive():
    resource = read_resource(b"\n " + OBSERVATION + b"\n")
    assert resource.raw == OBSERVATION
    assert str(resource.tree["valueQuantity"]["value"]) == "1.50"
    assert resource.references == ("Patient/p-1",)
    assert [coding.code for coding in resource.codings] == ["8302-2"]


def observation(**changes) -> bytes:
    base = {"resourceType": "Observation", "id": "o-1", "status": "final", "subject": {"reference": "Patient/p"}}
    return msgspec.json.encode(
        {name: value for name, value in {**base, **changes}.items() if value is not msgspec.UNSET}
    )


def nested(levels: int) -> bytes:
    return (
        b'{"resourceType":"Basic","id":"b","code":{"extension":'
        + b'[{"extension":' * levels
        + b"1"
        + b"}]" * levels
        + b"}}"
    )


BAD = {
    "empty input": (b"", "not-json"),
    "only blanks": (b" \n", "not-json"),
    "cut off": (OBSERVATION[:-1], "not-json"),
    "trailing text": (OBSERVATION + b"x", "not-json"),
    "trailing comma": (b'{"resourceType":"Patient","id":"p",}', "not-json"),
    "single quotes": (b"{'resourceType':'Patient'}", "not-json"),
    "comment": (b'{"resourceType":"Patient","id":"p"/*x*/}', "not-json"),
    "NaN": (b'{"resourceType":"Basic","id":"b","code":NaN}', "not-json"),
    "Infinity": (b'{"resourceType":"Basic","id":"b","code":-Infinity}', "not-json"),
    "leading zero": (b'{"resourceType":"Patient","id":"p","multipleBirthInteger":01}', "not-json"),
    "endless decimal": (observation()[:-1] + b',"valueQuantity":{"value":1.' + b"1" * 5000 + b"}}", "not-json"),
    "endless integer": (observation()[:-1] + b',"valueInteger":' + b"1" * 5000 + b"}", "not-json"),
    "huge exponent": (observation()[:-1] + b',"valueQuantity":{"value":1e999999999999999999999}}', "not-json"),
    "control character": (b'{"resourceType":"Patient","id":"p","gender":"\x01"}', "not-json"),
    "bad escape": (b'{"resourceType":"Patient","id":"p","gender":"\\q"}', "not-json"),
    "lone surrogate": (b'{"resourceType":"Patient","id":"p","gender":"\\ud800"}', "not-json"),
    "not UTF-8": (b'{"resourceType":"Patient","id":"p","gender":"\xe9"}', "not-utf8"),
    "BOM": (b"\xef\xbb\xbf" + OBSERVATION, "byte-order-mark"),
    "UTF-16": (OBSERVATION.decode().encode("utf-16"), "byte-order-mark"),
    "array": (b"[" + OBSERVATION + b"]", "not-an-object"),
    "string": (b'"Patient"', "not-an-object"),
    "too deep": (nested(40), "too-deep"),
    "far too deep": (b'{"a":' * 100_000, "too-deep"),
    "duplicate key": (OBSERVATION[:-1] + b',"status":"amended"}', "duplicate-key"),
    "duplicate key nested": (observation()[:-1] + b',"code":{"text":"a","text":"b"}}', "duplicate-key"),
    "duplicate key by escape": (observation()[:-1] + b',"st\\u0061tus":"amended"}', "duplicate-key"),
    "escaped key": (b'{"resourceType":"Patient","\\u0069d":"p"}', "bad-key"),
    "escaped quote in key": (b'{"resourceType":"Patient","id":"p","text":{"a\\"reference":"Patient/x"}}', "bad-key"),
    "no type": (b'{"id":"p"}', "no-type"),
    "type is a number": (b'{"resourceType":1,"id":"p"}', "no-type"),
    "unknown type": (b'{"resourceType":"Patients","id":"p"}', "unknown-type"),
    "abstract type": (b'{"resourceType":"DomainResource","id":"p"}', "unknown-type"),
    "no id": (b'{"resourceType":"Patient"}', "no-id"),
    "id with blank": (observation(id="a b"), "bad-id"),
    "id of 65": (observation(id="a" * 65), "bad-id"),
    "id is a number": (observation(id=5), "wrong-kind"),
    "unknown element": (observation(subjects={"reference": "Patient/p"}), "unknown-element"),
    "unknown twin": (observation(_subjects={"id": "x"}), "unknown-element"),
    "null": (observation(status=None), "empty-value"),
    "empty string": (observation(status=""), "empty-value"),
    "empty string in a list": (b'{"resourceType":"Patient","id":"p","name":[{"given":[""]}]}', "empty-value"),
    "empty object": (observation(code={}), "empty-value"),
    "empty array": (observation(category=[]), "empty-value"),
    "empty object in an array": (observation(category=[{}]), "empty-value"),
    "null in a list": (observation(category=[None]), "wrong-kind"),
    "null in a list of resources": (b'{"resourceType":"Basic","id":"b","contained":[null],"_contained":[1]}', "wrong-kind"),
    "status is a boolean": (observation(status=True), "wrong-kind"),
    "subject is a string": (observation(subject="Patient/p"), "wrong-kind"),
    "subject is an array": (observation(subject=[{"reference": "Patient/p"}]), "wrong-kind"),
    "category is an object": (observation(category={"text": "x"}), "wrong-kind"),
    "integer as string": (observation(valueInteger="5"), "wrong-kind"),
    "integer as decimal": (observation()[:-1] + b',"valueInteger":5.0}', "wrong-kind"),
    "integer as boolean": (observation(valueInteger=True), "wrong-kind"),
    "boolean as string": (observation(valueBoolean="true"), "wrong-kind"),
    "reference is a number": (observation(subject={"reference": 5}), "wrong-kind"),
    "reference is a list": (observation(subject={"reference": ["Patient/p"]}), "wrong-kind"),
    "reference without type": (observation(subject={"reference": "p-1"}), "bad-reference"),
    "reference to no type": (observation(subject={"reference": "Patients/p"}), "bad-reference"),
    "reference of another scheme": (observation(subject={"reference": "javascript:alert(1)"}), "bad-reference"),
    "upper-case urn": (observation(subject={"reference": "urn:uuid:" + "A" * 8 + "-0000" * 3 + "-" + "0" * 12}), "bad-reference"),
    "system is a number": (observation(code={"coding": [{"system": 5, "code": "x"}]}), "wrong-kind"),
    "month 13": (observation(effectiveDateTime="2024-13"), "bad-date"),
    "30 February": (observation(effectiveDateTime="2024-02-30"), "bad-date"),
    "hour 24": (observation(effectiveDateTime="2024-02-03T24:00:00Z"), "bad-date"),
    "time without zone": (observation(effectiveDateTime="2024-02-03T10:00:00"), "bad-date"),
    "contained without type": (observation(contained=[{"id": "x"}]), "no-type"),
    "contained with a wrong kind": (observation(contained=[{"resourceType": "Patient", "active": "yes"}]), "wrong-kind"),
    "oversized": (observation(note=[{"text": "x" * 9_000_000}]), "oversized"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(name):
    raw, code = BAD[name]
    with pytest.raises(Refused) as refused:
        read_resource(raw)
    assert refused.value.code == code
    assert refused.value.expected
    assert refused.value.got
    assert refused.value.todo


def test_a_refusal_names_the_element_and_repeats_no_value():
    raw = observation(component=[{"valueString": "Jane Doe"}, {"code": {"coding": [{"code": "x", "display": 7}]}}])
    with pytest.raises(Refused) as refused:
        read_resource(raw)
    assert refused.value.path == "Observation.component[1].code.coding[0].display"
    for raw in (
        observation(**{"Jane Doe": 1}),
        observation(subject={"reference": "Jane Doe"}),
        observation(id="Jane Doe"),
    ):
        with pytest.raises(Refused) as refused:
            read_resource(raw)
        assert "Jane" not in str(refused.value)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"resourceType":"Consent","id":"c","provision":{"data":[{"reference":{"reference":"Observation/o"}}]}}',
        b'{"resourceType":"Contract","id":"c","term":[{"action":[{"subject":[{"reference":[{"reference":"Observation/o"}]}]}]}]}',
        b'{"resourceType":"OperationDefinition","id":"c","code":"c","system":true,"extension":[{"valueReference":{"reference":"Observation/o"}}]}',
    ],
)
def test_elements_with_the_names_of_a_references_and_a_codings_own_are_read(raw):
    read = read_resource(raw)
    assert (read.references, read.codings) == (("Observation/o",), ())


def test_null_pads_a_list_of_primitives_beside_its_twin():
    raw = b'{"resourceType":"CodeSystem","id":"c","url":"http://x","_url":{"id":"a"}}'
    assert read_resource(raw).id == "c"


def bundle(*entries, kind="transaction") -> bytes:
    return msgspec.json.encode({"resourceType": "Bundle", "type": kind, "entry": list(entries)})


def test_a_bundle_keeps_each_resources_bytes_and_faults():
    raw = (
        b'{"resourceType":"Bundle","type":"batch","entry":['
        b'{"resource":' + OBSERVATION + b"},"
        b'{"fullUrl":"urn:x","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},'
        b'{"resource":{"resourceType":"Patient","id":"p","gender":5}},'
        b'{"resource":{"resourceType":"Patient","id":"p","gender":""}},'
        b'{"resource":[]},'
        b'{"request":{"method":"GET","url":"Patient/p"}}]}'
    )
    read = read_bundle(raw)
    assert read.type == "batch"
    assert read.entries[0].resource.raw == OBSERVATION
    assert (read.entries[1].method, read.entries[1].resource.id) == ("POST", "")
    assert read.entries[2].fault.path == "Bundle.entry[2].resource.gender"
    assert read.entries[3].fault.code == "empty-value"
    assert read.entries[4].fault.code == "not-an-object"
    assert read.entries[5].resource is None
    assert read.entries[5].fault is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (OBSERVATION, "not-a-bundle"),
        (bundle() + b" x", "not-json"),
        (b'{"resourceType":"Bundle","type":"batch","entry":{}}', "wrong-kind"),
        (b'{"resourceType":"Bundle","type":"batch","entry":[null],"_entry":[1]}', "wrong-kind"),
        (b'{"resourceType":"Bundle","type":"batch","entry":[5]}', "wrong-kind"),
        (b'{"resourceType":"Bundle","type":"batch","entry":[]}', "empty-value"),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{}]}', "empty-value"),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"a":1,"a":2}}]}', "duplicate-key"),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"fullUrl":"x","fullUrl":"y"}]}', "duplicate-key"),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":1,"resource":2}]}', "duplicate-key"),
        (bundle({"fullUrl": 5}), "wrong-kind"),
        (bundle({"request": "GET"}), "wrong-kind"),
        (bundle({"request": {"method": 5}}), "wrong-kind"),
        (bundle(*[{"fullUrl": "x"}] * 11), "too-many-entries"),
    ],
)
def test_a_bad_envelope_refuses_the_whole(raw, code):
    with pytest.raises(Refused) as refused:
        read_bundle(raw, limits=Limits(entries=10))
    assert refused.value.code == code


def test_ndjson_streams_in_pieces_of_any_size():
    line = observation()
    text = line + b"\r\n\n" + b"{}\n" + b'{"x":"' + b"y" * 500 + b'"}\n' + line
    for size in (1, 7, 100, 10_000):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        found = list(read_ndjson(chunks, limits=Limits(resource_bytes=300)))
        assert [one.code if isinstance(one, Refused) else one.raw for one in found] == [
            line,
            "no-type",
            "oversized",
            line,
        ]


def test_an_endless_line_is_not_held():
    found = list(read_ndjson((b"x" * 1000 for _ in range(1000)), limits=Limits(resource_bytes=5000)))
    assert [one.code for one in found] == ["oversized"]
    assert not any(isinstance(one, Resource) for one in found)


@pytest.mark.parametrize(
    "items", ['"x",' * 150_000 + '"",' * 150_000 + '""', "{}," * 150_000 + "{}", "[]," * 150_000 + "[]"]
)
def test_many_faults_cost_no_more_than_one(items):
    with pytest.raises(Refused, match="empty-value"):
        read_resource(f'{{"resourceType":"Basic","id":"b","code":{{"coding":[{items}]}}}}'.encode())
    keys = ",".join(f'"k{n}":"{"x" if n < 50_000 else ""}"' for n in range(100_000))
    with pytest.raises(Refused, match="empty-value"):
        read_resource(f'{{"resourceType":"Basic","id":"b","code":{{{keys}}}}}'.encode())
