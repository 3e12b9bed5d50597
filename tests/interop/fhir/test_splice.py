"""Ids and references change on raw tokens; every other byte stays."""

import msgspec
import pytest

from salus.interop.fhir.bundle import read_bundle
from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.splice import Rewriting, full_urls, splice

URN = "urn:uuid:0fc374a1-a226-4552-9683-55dd510e67c9"


def of(raw: bytes):
    return read_resource(raw)


def test_only_the_tokens_change():
    raw = (
        b'{ "id" : "old",\n "resourceType":"Observation", "note":[{"text":"\\"id\\":\\"old\\" \\"reference\\":\\"Patient/1\\""}],'
        b'"contained":[{"id":"old","resourceType":"Patient"}],'
        b'"subject":{"reference" : "Patient\\/1"},"focus":[{"reference":"#old"},{"reference":"Patient/12"}],'
        b'"valueQuantity":{"value":1.500} }'
    )
    spliced = splice(of(raw), Rewriting(renamed={"Patient/1": "Patient/new"}), "fresh")
    want = raw.replace(b'"id" : "old"', b'"id" : "fresh"').replace(b'"Patient\\/1"', b'"Patient/new"')
    assert spliced.raw == want
    assert spliced.changed == {"Patient/1": "Patient/new"}
    assert spliced.resource.raw == raw


def test_nothing_to_change_gives_the_same_bytes():
    raw = b'{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/1"}}'
    assert splice(of(raw), Rewriting(), "o").raw is of(raw).raw or splice(of(raw), Rewriting()).raw == raw


def test_an_id_is_inserted_where_none_was():
    resource = read_resource(b'{"resourceType":"Patient", "contact":[{"id":"x"}]}', id_required=False)
    assert splice(resource, Rewriting(), "p").raw == b'{"id":"p","resourceType":"Patient", "contact":[{"id":"x"}]}'


@pytest.mark.parametrize(
    ("reference", "outcome"),
    [
        (URN, "Patient/a"),
        ("urn:uuid:00000000-0000-0000-0000-000000000000", "dangling"),
        ("http://old.example/fhir/Patient/7", "Patient/b"),
        ("http://here.example/fhir/Patient/1", "Patient/new"),
        ("http://here.example/fhir/Patient/2", "Patient/2"),
        ("http://here.example/fhir/nonsense", None),
        ("http://else.example/fhir/Patient/1", None),
        ("Patient/1/_history/3", "Patient/new/_history/3"),
        ("Patient/11", None),
        ("#p", None),
        ("Patient?identifier=http://mrn|1", "Patient/c"),
        ("Patient?identifier=http%3A%2F%2Fmrn%7C1", "Patient/c"),
        ("Patient?identifier=1", "missing"),
        ("Patient?identifier=http://mrn|2", "ambiguous"),
        ("Patient?identifier=http://mrn|3", "missing"),
        ("Patient?name=x", "unsupported"),
        ("Patient?identifier=a|b&name=x", "unsupported"),
        ("Patient?identifier=a|b,c|d", "unsupported"),
    ],
)
def test_each_form_of_reference(reference, outcome):
    rewriting = Rewriting(
        full_urls={URN: "Patient/a", "http://old.example/fhir/Patient/7": "Patient/b"},
        renamed={"Patient/1": "Patient/new"},
        bases=("http://here.example/fhir/",),
        find=lambda kind, system, value: {
            ("Patient", "http://mrn", "1"): ["c"],
            ("Patient", "http://mrn", "2"): ["d", "e"],
        }.get((kind, system, value), []),
    )
    raw = msgspec.json.encode({"resourceType": "Basic", "id": "b", "subject": {"reference": reference}})
    spliced = splice(of(raw), rewriting)
    if outcome in {"dangling", "missing", "ambiguous", "unsupported"}:
        assert spliced.problems == {reference: outcome}
        assert spliced.raw == raw
        with pytest.raises(Refused, match="unresolved-reference"):
            spliced.checked()
    else:
        assert spliced.changed == ({} if outcome is None else {reference: outcome})
        assert spliced.checked().raw == raw.replace(reference.encode(), (outcome or reference).encode())


def test_a_bundle_maps_full_urls_to_new_ids():
    body = {"resourceType": "Observation", "subject": {"reference": URN}}
    document = {
        "resourceType": "DocumentReference",
        "content": [{"attachment": {"url": URN}}],
        "masterIdentifier": {"value": URN},
    }
    post = {"method": "POST", "url": "x"}
    entries = [
        {"fullUrl": URN, "resource": {"resourceType": "Patient"}, "request": post},
        {"resource": body, "request": post},
        {"resource": document, "request": post},
    ]
    bundle = read_bundle(msgspec.json.encode({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
    known = full_urls(bundle, ["p", "o", "d"])
    assert known == {URN: "Patient/p"}
    observation = splice(bundle.entries[1].resource, Rewriting(full_urls=known), "o")
    assert msgspec.json.decode(observation.raw) == {**body, "id": "o", "subject": {"reference": "Patient/p"}}
    changed = msgspec.json.decode(splice(bundle.entries[2].resource, Rewriting(full_urls=known), "d").raw)
    assert changed["content"][0]["attachment"]["url"] == "Patient/p"
    assert changed["masterIdentifier"] == {"value": URN}


def test_two_entries_may_not_share_a_full_url():
    entry = {"fullUrl": URN, "resource": {"resourceType": "Patient", "id": "p"}}
    bundle = read_bundle(msgspec.json.encode({"resourceType": "Bundle", "type": "batch", "entry": [entry, entry]}))
    with pytest.raises(Refused, match="duplicate-full-url"):
        full_urls(bundle, ["a", "b"])
