"""837 → FHIR Claim → 837 loses nothing; what we write is valid R4; other systems' Claims are read or refused by element."""

import gzip
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.agreements.claims.alone import sound_files
from salus.agreements.claims.decide import decide
from salus.agreements.claims.eob import write_explanation
from salus.agreements.claims.fhir_claim import write_claim
from salus.agreements.claims.fhir_claim_read import UnreadableClaim, read_claim, read_request
from salus.agreements.claims.fhir_transaction import claim_of_file, file_of_claim
from salus.interop.fhir.tokens import LIMITS, decode
from salus.interop.fhir.validation import Validator
from salus.interop.x12.claim import Adjustment, Claim, LineDecision, OtherPayer, Party, Person
from salus.interop.x12.claim_writer import set_of

from .cases import CLINIC, ENDS, HOSPITAL, JANE, PLAN, RATES, STAMP, claim, facts, file_of, line, stay

SAMPLES = Path(__file__).parents[3] / "samples" / "claims"
R4 = Validator()


def tree_of(body: bytes) -> dict[str, Any]:
    return decode(body, LIMITS.resource_bytes, LIMITS)


def valid(body: bytes) -> None:
    found = R4.check(tree_of(body), now="2025-03-15T00:00:00Z")
    assert [one for one in found if one.severity == "error"] == []


WORDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789.-'&/", max_size=12).map(str.strip)
CODES = st.text("ABCDEFGHIJ0123456789", max_size=9)
DAYS = st.integers(1, 28).map(lambda number: f"202502{number:02d}")
CENTS = st.integers(0, 10**9)
PARTIES = st.builds(Party, WORDS, CODES, WORDS, CODES, CODES, WORDS, WORDS, CODES, CODES, CODES)
PERSONS = st.builds(
    Person, WORDS, WORDS, CODES, st.sampled_from(["", "19800101"]), st.sampled_from("FMUX"), WORDS, WORDS, CODES, CODES
)
ADJUSTMENTS = st.lists(
    st.builds(Adjustment, st.sampled_from(["CO", "PR", "OA"]), CODES, st.integers(-(10**7), 10**7)), max_size=3
).map(tuple)
DECISIONS = st.lists(st.builds(LineDecision, CODES, CENTS, DAYS, ADJUSTMENTS), max_size=2).map(tuple)
LINES = st.builds(
    line,
    st.integers(1, 999),
    st.sampled_from(["G0402", "J0696", "S9129"]),
    CENTS,
    DAYS,
    units=st.integers(1, 10**6),
    modifiers=st.lists(st.sampled_from(["59", "RT", "76"]), max_size=4).map(tuple),
    basis=st.sampled_from(["UN", "MJ"]),
    place=st.sampled_from(["", "11"]),
    revenue=st.sampled_from(["", "0120"]),
    pointers=st.lists(st.integers(1, 12), max_size=4).map(tuple),
    rendering=st.just(Party("")) | PARTIES,
    control=CODES,
    authorisation=CODES,
    decisions=DECISIONS,
)
OTHERS = st.builds(
    OtherPayer,
    st.sampled_from("PST"),
    CODES,
    WORDS,
    CODES,
    WORDS,
    st.none() | CENTS,
    ADJUSTMENTS,
    st.sampled_from(["", "CI", "MB"]),
    st.sampled_from(["18", "01", "19", "G8"]),
    st.sampled_from(["", "20250302"]),
)


def as_read(one: Claim) -> Claim:
    """Return a claim as an 837 tells it: who is the subscriber is the patient, a dependent has the subscriber's number."""
    if one.relationship == "18":
        return msgspec.structs.replace(one, patient=one.subscriber)
    number = one.patient.member or one.subscriber.member
    return msgspec.structs.replace(one, patient=msgspec.structs.replace(one.patient, member=number))


CLAIMS = st.builds(
    lambda lines, changes: as_read(claim(*lines, **changes)),
    st.lists(LINES, min_size=1, max_size=4),
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from("PI"),
            "identifier": st.text("ABC123", min_size=1, max_size=8),
            "facility": st.sampled_from(["11", "13"]),
            "frequency": st.sampled_from("178"),
            "submitter": PARTIES,
            "receiver": PARTIES,
            "billing": PARTIES,
            "payer": PARTIES,
            "subscriber": PERSONS,
            "patient": PERSONS,
            "relationship": st.sampled_from(["18", "01", "19", "G8"]),
            "diagnoses": st.lists(st.sampled_from(["J069", "E119", "I10", "S72001A"]), min_size=1, max_size=4).map(
                tuple
            ),
            "rank": st.sampled_from("PST"),
            "group": CODES,
            "filing": st.sampled_from(["", "CI", "MB"]),
            "original": CODES,
            "authorisation": CODES,
            "trace": CODES,
            "rendering": st.just(Party("")) | PARTIES,
            "drg": st.sampled_from(["", "470"]),
            "admitted": st.sampled_from(["", "20250201"]),
            "others": st.lists(OTHERS, max_size=2).map(tuple),
            "assigned": st.booleans(),
            "stay": st.tuples(st.sampled_from(["", "1"]), st.sampled_from(["", "2"]), st.sampled_from(["", "01"])),
        }
    ),
)


@given(CLAIMS)
@settings(max_examples=60)
def test_a_claim_comes_back_from_fhir_as_it_was(one: Claim) -> None:
    assert read_claim(tree_of(write_claim(one, "20250310"))) == one


NEXT_SUBSCRIBER = re.compile(rb"\nHL\*\d+\*\d+\*22\*")


def sample_claims() -> list[tuple[Claim, bytes]]:
    """The first subscribers of both months, and the day."""
    files = [gzip.decompress((SAMPLES / "month" / f"{name}.837.gz").read_bytes()) for name in ("birch", "cedar")]
    cuts = [next(place.start() for place in NEXT_SUBSCRIBER.finditer(file, 15_000)) for file in files]
    ended = [closed(file[:cut]) for file, cut in zip(files, cuts, strict=True)]
    found = [one for file in ended for one in sound_files([file], "20250415")[0]]
    return [*found, *sound_files([(SAMPLES / "day.837").read_bytes()], "20250310")[0]]


def closed(file: bytes) -> bytes:
    """End a cut file: the set, its group and interchange, with the counts that are left."""
    segments = [one.strip() for one in file.split(b"~") if one.strip()]
    heads = {one.split(b"*")[0]: one.split(b"*") for one in segments[:3]}
    count = len(segments) - 1  # less ISA and GS, with SE
    tail = (
        b"SE*%d*%b~\n" % (count, heads[b"ST"][2]),
        b"GE*1*%b~\n" % heads[b"GS"][6],
        b"IEA*1*%b~\n" % heads[b"ISA"][13],
    )
    return file + b"\n" + b"".join(tail)


@pytest.mark.unmeasured
def test_diagnoses_are_of_the_edition_of_the_days_of_service() -> None:
    old = claim(line(1, "G0402", 15_000, "20140203", pointers=(1,)), diagnoses=("4280", "E8889", "V5869"))
    file = file_of(old)
    assert b"HI*BK:4280*BF:E8889*BF:V5869~" in file
    (((read, _),), _) = sound_files([file], "20250310")
    assert read.diagnoses == old.diagnoses
    for body in (write_claim(old, "20250310"), write_explanation(decide(old, PLAN, RATES, facts()))):
        valid(body)
        codings = [one["diagnosisCodeableConcept"]["coding"][0] for one in tree_of(body)["diagnosis"]]
        assert {one["system"] for one in codings} == {"http://hl7.org/fhir/sid/icd-9-cm"}
        assert [one["code"] for one in codings] == ["428.0", "E888.9", "V58.69"]
    assert read_claim(tree_of(write_claim(as_read(old), "20250310"))).diagnoses == old.diagnoses
    last_of_old, first_of_new = (file_of(claim(line(1, "G0402", 15_000, day))) for day in ("20150930", "20151001"))
    assert b"HI*BK:" in last_of_old
    assert b"HI*ABK:" in first_of_new


def test_the_samples_come_back_byte_for_byte() -> None:
    found = sample_claims()
    assert 20 < len(found) < 100
    for one, file in found:
        body = claim_of_file(file, "20250415")
        tree = tree_of(body)
        assert file_of_claim(tree, (), ENDS, msgspec.structs.replace(STAMP, day="20250415")) == file
        anew = read_claim(tree)
        assert anew == one
        assert set_of((anew,), "1", "20250415", "0900") == set_of((one,), "1", "20250415", "0900")
    for (_, file), _ in zip(found, range(2), strict=False):
        valid(claim_of_file(file, "20250415"))


def test_what_the_rules_do_not_read_comes_back_until_the_claim_is_changed() -> None:
    file = file_of(claim()).replace(b"\nHI*", b"\nNTE*ADD*SEEN TWICE~\nHI*").replace(b"SE*25*", b"SE*26*")
    (_, whole), *_ = sound_files([file], "20250310")[0]
    body = claim_of_file(whole, "20250310")
    assert b"NTE*ADD" in file_of_claim(tree_of(body), (), ENDS, STAMP)
    changed = tree_of(body)
    changed["item"][0]["net"]["value"] = 140
    changed["total"]["value"] = 140
    again = file_of_claim(changed, (), ENDS, STAMP)
    assert b"NTE*ADD" not in again
    assert b"CLM*A1*140*" in again
    changed["extension"][-1]["valueBase64Binary"] = "!"
    with pytest.raises(UnreadableClaim, match="transaction"):
        file_of_claim(changed, (), ENDS, STAMP)


def test_what_we_write_is_valid_by_the_definitions_of_r4() -> None:
    first = LineDecision("FIRST1", 10000, "20250305", (Adjustment("CO", "45", 5000),))
    other = OtherPayer("P", "FIRST1", "FIRST PLAN", "X1", "DOE", 10000, (), "CI", "18", "20250305")
    rich = claim(
        line(decisions=(first,), rendering=HOSPITAL, modifiers=("59",), authorisation="AP1"),
        rank="S",
        others=(other,),
        rendering=CLINIC,
        original="C1",
        relationship="19",
        patient=msgspec.structs.replace(JANE, first="JOHN"),
    )
    inpatient = stay(line(1, "", 120000, revenue="0120"), drg="470", admitted="20250228")
    for one in (claim(), rich, inpatient):
        valid(write_claim(one, "20250310"))
        valid(write_explanation(decide(one, PLAN, RATES, facts())))


FOREIGN: dict[str, Any] = {
    "resourceType": "Claim",
    "status": "active",
    "identifier": [{"value": "F1"}],
    "type": {"coding": [{"code": "professional"}]},
    "use": "preauthorization",
    "patient": {"reference": "Patient/p"},
    "created": "2025-03-10",
    "provider": {"reference": "https://ehr.example/fhir/Practitioner/d"},
    "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "urn:uuid:c"}}],
    "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": {"coding": [{"code": "J06.9"}]}}],
    "item": [
        {
            "sequence": 1,
            "productOrService": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "R0070"}]},
            "servicedDate": "2025-03-12",
            "quantity": {"value": 2},
            "net": {"value": 150.5, "currency": "USD"},
        }
    ],
}
BESIDE: tuple[dict[str, Any], ...] = (
    {
        "resourceType": "Patient",
        "id": "p",
        "name": [{"family": "DOE", "given": ["JANE"]}],
        "birthDate": "1980-01-01",
        "gender": "female",
    },
    {"resourceType": "Practitioner", "id": "d", "identifier": [{"value": "1234567893"}], "name": [{"family": "LEE"}]},
    {
        "resourceType": "Coverage",
        "id": "c",
        "fullUrl": "urn:uuid:c",
        "subscriberId": "M1",
        "payor": [{"reference": "Organization/h"}],
    },
    {"resourceType": "Organization", "id": "h", "identifier": [{"value": "HARBOR1"}], "name": "HARBOR HEALTH"},
)


def test_another_systems_claim_is_read_from_its_bundle() -> None:
    one = read_claim(tree_of(msgspec.json.encode(FOREIGN)), BESIDE)
    assert (one.payer.identifier, one.billing.identifier, one.subscriber.member) == ("HARBOR1", "1234567893", "M1")
    assert (one.patient, one.relationship, one.frequency, one.filing, one.charge) == (
        one.subscriber,
        "18",
        "1",
        "CI",
        15050,
    )
    review = read_request(tree_of(msgspec.json.encode(FOREIGN)), BESIDE)
    assert (review.patient.member, review.services[0].procedure, review.services[0].units) == ("M1", "R0070", 2000)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"type": {}}, "Claim.type"),
        ({"type": None}, "Claim.type"),
        ({"patient": {"reference": "Patient/nobody"}}, "Claim.patient"),
        ({"insurance": []}, "Claim.insurance.coverage"),
        ({"provider": {}}, "Claim.provider"),
        ({"item": []}, "Claim.item"),
        ({"item": [{"sequence": 1}]}, "Claim.item"),
        ({"total": {"value": 1.005}}, "Claim.total"),
        ({"total": {"value": True}}, "Claim.total"),
        ({"total": {"value": "much"}}, "Claim.total"),
        ({"total": {"value": 1, "currency": "EUR"}}, "Claim.total"),
        ({"total": 3}, "Claim.total"),
    ],
)
def test_what_tells_no_claim_is_refused_by_its_element(change: dict[str, Any], path: str) -> None:
    with pytest.raises(UnreadableClaim) as refused:
        read_claim(tree_of(msgspec.json.encode(FOREIGN | change)), BESIDE)
    assert refused.value.path == path


def test_no_part_left_out_is_read_as_another_claim() -> None:
    """Taking any element away is seen: the claim differs, or is refused."""
    one = claim(rank="S", group="G1", original="C9", authorisation="AP1", trace="T1", rendering=CLINIC)
    whole = tree_of(write_claim(one, "20250310"))
    unread = {"resourceType", "created", "status", "use", "priority"}
    told_twice = {"total", "billablePeriod", "insurer"}
    for name in set(whole) - unread:
        less = {key: value for key, value in whole.items() if key != name}
        try:
            assert read_claim(less) != one or name in told_twice, name
        except UnreadableClaim:
            continue
