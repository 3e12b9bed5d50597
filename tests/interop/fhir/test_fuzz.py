"""For any bytes: a value or the named refusal, never anything else, in bounded time."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.interop.fhir.bundle import read_bundle
from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import Resource, read_ndjson, read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.splice import Rewriting, splice

pytestmark = pytest.mark.unmeasured

NAMES = st.sampled_from(
    ["id", "status", "code", "coding", "system", "display", "subject", "reference", "effectivePeriod", "start", "end",
     "name", "given", "family", "identifier", "value", "meta", "security", "item", "encounter", "context", "category",
     "performer", "actor", "contained", "entry", "resource", "request", "_status", 'a"b', "c\\", "é"]
)  # fmt: skip
TEXTS = st.sampled_from(
    ["Patient/p", "x", "", "2024-02-30", "2024", "urn:uuid:0", "#a", '\\"', ":", "Patient?identifier=a|b"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(
    ["Observation", "Patient", "Claim", "Bundle", "Encounter", "Condition", "Nothing", "DocumentReference"]
)


def take(raw: bytes) -> None:
    for read in (read_resource, read_bundle):
        with contextlib.suppress(Refused):
            read(raw)
    for one in read_ndjson([raw]):
        if isinstance(one, Resource):
            spliced = splice(one, Rewriting(), "new-id")
            assert read_resource(spliced.raw).id == "new-id"
            facts(one, spliced.changed, spliced.id)


@settings(max_examples=150, deadline=None)
@given(TYPES, st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_tree(kind, tree):
    take(json.dumps({"resourceType": kind, "id": "i", **tree}).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(raw):
    take(raw)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage(data):
    raw = bytearray(
        b'{"resourceType":"Observation","id":"o-1","status":"final","code":{"text":"a\\"b\\\\"},'
        b'"subject":{"reference":"Patient/p"},"valueQuantity":{"value":1.50},"effectiveDateTime":"2024-01-01"}'
    )
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    take(bytes(raw))


PAIRS = st.lists(st.tuples(st.sampled_from(["a", "b", 'x\\"y', ":", "é", "\\u0061"]), st.sampled_from(["1", '":"', '"\\\\"', '"\\":"', "{}"])), max_size=4)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(PAIRS)
def test_duplicates_are_found_as_a_strict_parser_finds_them(pairs):
    body = ",".join(f'"{name}":{value}' for name, value in pairs)
    raw = f'{{"resourceType":"Basic","id":"b","code":{{"text":"t"{"," if body else ""}{body}}}}}'.encode()
    duplicate = []
    json.loads(raw, object_pairs_hook=lambda found: duplicate.append(len(found) != len(dict(found))) or dict(found))
    try:
        read_resource(raw)
        code = ""
    except Refused as refused:
        code = refused.code
    assert (code == "duplicate-key") == any(duplicate)
