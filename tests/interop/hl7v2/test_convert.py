"""Messages as FHIR transactions: what is carried, what is said to be lost, what is refused; all of it valid R4."""

import json
from decimal import Decimal
from typing import Any

import pytest

from salus.interop.fhir.validation import Validator
from salus.interop.hl7v2.acknowledging import acknowledgement
from salus.interop.hl7v2.convert import Converted, convert
from salus.interop.hl7v2.message import control_of, read
from salus.interop.hl7v2.mllp import Frames, FrameTooLarge, framed
from salus.interop.hl7v2.refusal import MessageRefused
from salus.interop.hl7v2.values import Naming

ADT = r"""MSH|^~\&|ADT1|NORTH|LAB|NORTH|202601311015||ADT^A01^ADT_A01|MSG1|P|2.5.1
EVN|A01|202601311015
PID|1||4711^^^NORTH^MR~999-1^^^SSA&2.16.840.1.113883.4.1&ISO^SS||Muster^Ada^B C^^Dr^^L||19800229|F|||Weg 1^^Bonn^^53111^DE^H||^PRN^PH^^49^228^123~^NET^Internet^ada@example.org|||M|||||||||||||20200101|N
NK1|1|Muster^Bo|SPO^Spouse^HL70063|Weg 1^^Bonn|555
PV1|1|I|W3^12^A^NORTH||||123^Haus^Greg^^^^^^NPI&2.16.840.1.113883.4.6&ISO||||||||||||V77^^^NORTH^VN|||||||||||||||||||||||||202601311000
AL1|1|DA|7980^Penicillin^RXNORM|SV|Hives~Itching|2010
DG1|1||I10^Essential hypertension^I10C||20260131|A
ZXX|own""".replace("\n", "\r").encode()

ORU = r"""MSH|^~\&|LAB|NORTH|ADT1|NORTH|20260131120000+0100||ORU^R01^ORU_R01|MSG2|P|2.5.1||||||UNICODE UTF-8
PID|1||4711^^^NORTH^MR||Muster^Ada||19800229|F
PV1|1|O|||||||||||||||||V77^^^NORTH^VN
ORC|RE|P1^LIS|F1^LIS
OBR|1|P1^LIS|F1^LIS|24323-8^Chemistry panel^LN|||20260131080000+0100|||||||||||||||20260131113000+0100||CH|F
NTE|1||Fasting.
OBX|1|NM|2345-7^Glucose^LN||5.40|mmol/l|3.9-5.5|N|||F
NTE|1||Repeated\.br\twice.
OBX|2|SN|1988-5^CRP^LN||<^0.5|mg/dl||L|||F
OBX|3|CWE|883-9^ABO^LN||A^Group A^L||||||C
OBX|4|ST|11502-2^Remark^LN||a\T\b \E\ c||||||F
OBX|5|NM|2951-2^Sodium^LN||haemolytic|mmol/L|||||X""".replace("\n", "\r").encode()

NAMING = Naming("NORTH", {"NORTH": "urn:oid:1.2.3"}, "+01:00")


def converted(raw: bytes, naming: Naming = NAMING) -> Converted:
    return convert(read(raw), naming)


def by_type(told: Converted, kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in told.bundle["entry"] if entry["resource"]["resourceType"] == kind]


@pytest.mark.parametrize("raw", [ADT, ORU])
def test_what_a_message_becomes_is_valid(raw: bytes) -> None:
    assert [one for one in Validator().check(converted(raw).bundle) if one.severity == "error"] == []


def test_an_admission() -> None:
    told = converted(ADT)
    (patient,) = by_type(told, "Patient")
    assert patient["identifier"][0] == {
        "system": "urn:oid:1.2.3", "value": "4711", "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
    }  # fmt: skip
    assert patient["identifier"][1]["system"] == "urn:oid:2.16.840.1.113883.4.1"
    assert patient["name"] == [{"use": "official", "family": "Muster", "given": ["Ada", "B", "C"], "prefix": ["Dr"]}]
    assert patient["telecom"] == [
        {"system": "phone", "value": "49 228 123", "use": "home"},
        {"system": "email", "value": "ada@example.org", "use": "home"},
    ]
    assert (patient["gender"], patient["birthDate"], patient["deceasedDateTime"]) == (
        "female",
        "1980-02-29",
        "2020-01-01",
    )
    (visit,) = by_type(told, "Encounter")
    assert (visit["status"], visit["class"]["code"], visit["period"]) == (
        "in-progress",
        "IMP",
        {"start": "2026-01-31T10:00:00+01:00"},
    )
    assert visit["participant"][0]["individual"]["display"] == "Greg Haus"
    (allergy,) = by_type(told, "AllergyIntolerance")
    assert (allergy["category"], allergy["criticality"], len(allergy["reaction"][0]["manifestation"])) == (
        ["medication"],
        "high",
        2,
    )
    (condition,) = by_type(told, "Condition")
    assert condition["code"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/icd-10-cm"
    assert len(by_type(told, "RelatedPerson")) == 1
    assert told.lost == ("segment ZXX",)
    assert [entry["request"]["method"] for entry in told.bundle["entry"]] == ["PUT"] * 5


@pytest.mark.parametrize(
    ("written", "system", "code"),
    [
        (b"M", "MaritalStatus", "M"),
        (b"B", "MaritalStatus", "U"),
        (b"U", "NullFlavor", "UNK"),
        (b"T", "NullFlavor", "NAVU"),
    ],
)
def test_a_marital_status_that_is_not_told_is_a_null_flavor(written: bytes, system: str, code: str) -> None:
    (patient,) = by_type(converted(ADT.replace(b"|||M|||", b"|||" + written + b"|||")), "Patient")
    assert patient["maritalStatus"] == {
        "coding": [{"system": f"http://terminology.hl7.org/CodeSystem/v3-{system}", "code": code}]
    }


def test_results() -> None:
    told = converted(ORU)
    (report,) = by_type(told, "DiagnosticReport")
    assert (report["status"], report["issued"], report["conclusion"]) == (
        "final",
        "2026-01-31T11:30:00+01:00",
        "Fasting.",
    )
    assert len(report["result"]) == 5
    glucose, crp, group, remark, sodium = by_type(told, "Observation")
    assert glucose["valueQuantity"] == {
        "value": Decimal("5.40"),
        "unit": "mmol/l",
        "system": "http://unitsofmeasure.org",
        "code": "mmol/L",
    }
    assert glucose["note"] == [{"text": "Repeated\ntwice."}]
    assert glucose["referenceRange"] == [{"text": "3.9-5.5"}]
    assert (crp["valueQuantity"]["comparator"], crp["valueQuantity"]["value"]) == ("<", Decimal("0.5"))
    assert group["status"] == "corrected"
    assert remark["valueString"] == "a&b \\ c"
    assert (sodium["status"], sodium["valueString"]) == ("cancelled", "haemolytic")
    assert told.reports == (
        ("identifier=urn%3Asalus%3Av2%3Anorth%3Aorder%3Alis%7CF1", "final", "2026-01-31T11:30:00+01:00"),
    )


def test_only_adt_changes_demographics() -> None:
    entry = converted(ORU).bundle["entry"][0]
    assert entry["request"] == {
        "method": "POST",
        "url": "Patient",
        "ifNoneExist": "identifier=urn%3Aoid%3A1.2.3%7C4711",
    }


def test_the_same_message_is_mapped_alike_and_another_one_otherwise() -> None:
    assert converted(ADT) == converted(ADT)
    assert (
        converted(ADT).bundle["entry"][0]["fullUrl"]
        != converted(ADT.replace(b"MSG1", b"MSG3")).bundle["entry"][0]["fullUrl"]
    )


def test_a_zone_is_never_invented() -> None:
    (visit,) = by_type(converted(ADT, Naming("NORTH", {}, "")), "Encounter")
    assert visit["period"] == {"start": "2026-01-31"}


def test_equal_numbers_of_two_senders_are_two_persons() -> None:
    systems = {
        by_type(converted(ADT, Naming(place, {}, "")), "Patient")[0]["identifier"][0]["system"]
        for place in ("NORTH", "SOUTH")
    }
    assert systems == {"urn:salus:v2:north:north", "urn:salus:v2:south:north"}


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n"])
def test_segments_end_in_any_way(ending: bytes) -> None:
    assert converted(ORU.replace(b"\r", ending)) == converted(ORU)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", "MSH"),
        (b"PID|1", "MSH"),
        (ADT.replace(b"^~\\&", b"^^\\&"), "MSH-2"),
        (ADT.replace(b"|MSG1|", b"||"), "MSH-10"),
        (ADT.replace(b"|P|2.5.1", b"|T|2.5.1"), "MSH-11"),
        (ADT.replace(b"ADT^A01", b"ADT^A40"), "MSH-9"),
        (ADT.replace(b"ADT^A01", b"ADT^A99"), "MSH-9"),
        (ADT.replace(b"ADT^A01", b"DFT^P03"), "MSH-9"),
        (ADT.replace(b"\rPID", b"\rPIX"), "PID"),
        (ADT.replace(b"4711^^^NORTH^MR~999-1", b"^^^NORTH^MR~"), "PID-3"),
        (ADT.replace(b"\rEVN", b"\rE!N"), "MSH"),
        (ORU.replace(b"||CH|F\r", b"||CH|Y\r"), "OBR-25"),
        (ORU.replace(b"||CH|F\r", b"||CH|\r"), "OBR-25"),
        (ORU.replace(b"24323-8^Chemistry panel^LN", b""), "OBR-4"),
        (ORU.replace(b"P1^LIS|F1^LIS", b"|"), "OBR-3"),
        (ORU + b"\r" + next(one for one in ORU.split(b"\r") if one.startswith(b"OBR")), "OBR-3"),
        (ORU.replace(b"2345-7^Glucose^LN", b""), "OBX-3"),
        (ORU.replace(b"OBR|", b"OBS|"), "OBR"),
        (ORU.replace(b"UNICODE UTF-8", b"KLINGON"), "MSH-18"),
        (ORU.replace(b"Fasting", b"Fast\xfcng"), "MSH-18"),
    ],
)
def test_what_is_refused_and_where(raw: bytes, place: str) -> None:
    with pytest.raises(MessageRefused) as caught:
        converted(raw)
    assert caught.value.place == place
    assert b"Muster" not in str(caught.value).encode()


def test_bytes_of_no_declared_charset_are_read_and_reported() -> None:
    message = read(ADT.replace(b"Muster", b"M\xfcster", 1))
    assert message.warnings
    assert message.first("PID").text(5) == "Müster"  # type: ignore[union-attr]


def test_a_frame_comes_in_any_pieces_and_is_bounded() -> None:
    stream = b"noise" + framed(ADT) + b"\r\n" + framed(ORU) + b"\x0bunfinished"
    for size in (1, 7, 4096):
        frames = Frames()
        assert [one for at in range(0, len(stream), size) for one in frames.feed(stream[at : at + size])] == [ADT, ORU]
    with pytest.raises(FrameTooLarge):
        list(Frames(100).feed(b"\x0b" + b"x" * 200))


def test_a_frame_in_many_small_pieces_is_searched_once() -> None:
    frames, searched = Frames(), []

    class Counted(bytearray):
        def find(self, wanted: bytes, start: int = 0) -> int:  # type: ignore[override]
            searched.append(len(self) - start)
            return super().find(wanted, start)

    frames._held = Counted()
    list(frames.feed(b"\x0b"))
    for _ in range(2_000):
        list(frames.feed(b"x" * 8))
    assert list(frames.feed(b"\x1c")) == []
    assert list(frames.feed(b"\r")) == [b"x" * 16_000]
    assert sum(searched) < 3 * 16_000


def test_an_acknowledgement_names_the_message_and_the_fault() -> None:
    message = read(ADT)
    refusal = MessageRefused("101", "PID-3", "a number | of the patient")
    told = acknowledgement(message, message.control, "AE", own="1", stamp="20260131", refusal=refusal)
    answer = read(told)
    assert (answer.kind, answer.header.text(5)) == (("ACK", "A01"), "ADT1")
    assert [answer.first("MSA").text(place) for place in (1, 2)] == ["AE", "MSG1"]  # type: ignore[union-attr]
    assert answer.first("ERR").text(8) == "expected a number | of the patient"  # type: ignore[union-attr]


def test_the_control_id_of_a_broken_message_is_recovered() -> None:
    assert control_of(b"\x0b" + ADT[:90]) == "MSG1"
    assert control_of(b"\xff\x00garbage") == ""


def test_a_hostile_message_is_a_refusal_or_a_bundle() -> None:
    for at in range(0, len(ORU), 3):
        for junk in (b"|", b"^", b"~", b"\\", b"&", b'""', b"\xff", b"\x00"):
            try:
                json.dumps(converted(ORU[:at] + junk + ORU[at + 1 :]).bundle, default=str)
            except MessageRefused:
                continue
