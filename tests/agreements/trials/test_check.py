"""What a study's data says against its plan and against itself."""

import msgspec

from salus.agreements.trials.check import check
from salus.agreements.trials.compile import compile_plan
from salus.interop.cdisc.dataset_json import Column, Dataset
from salus.interop.cdisc.usdm import read_usdm
from tests.interop.cdisc.protocols import protocol, written

PLAN = compile_plan(read_usdm(written(protocol())))
DM = ("USUBJID", "ARM", "RFICDTC", "RFSTDTC", "DTHDTC")
SV = ("USUBJID", "VISIT", "SVSTDTC", "SVENDTC", "SVSTDY")
GOOD_DM = [("1", "Placebo", "2026-02-14", "2026-03-01", "")]
GOOD_SV = [
    ("1", "SCREENING", "2026-02-15", "2026-02-15", -14),
    ("1", "BASELINE", "2026-03-01", "2026-03-01", 1),
    ("1", "WEEK 2", "2026-03-15T10:00", "2026-03-15T11:00", 15),
    ("1", "PHONE CALL", "2026-03-16T09:00", "2026-03-16T09:10", 16),
    ("1", "UNSCHEDULED 2.1", "2026-03-17", "2026-03-17", 17),
]


def table(name, columns, rows):
    kinds = [
        Column(oid=f"IT.{each}", name=each, label=each, type="integer" if each.endswith("DY") else "string")
        for each in columns
    ]
    return Dataset("2026-01-01T00:00", "1.1.0", f"IG.{name}", len(rows), name, name, tuple(kinds), tuple(rows))


def checked(dm=GOOD_DM, sv=GOOD_SV, **more):
    return check(PLAN, {"DM": table("DM", DM, dm), "SV": table("SV", SV, sv), **more})


def rules(found):
    return [each.rule for each in found.found]


def swapped(place, **values):
    row = dict(zip(SV, GOOD_SV[place], strict=True)) | values
    return [*GOOD_SV[:place], tuple(row.values()), *GOOD_SV[place + 1 :]]


def test_clean_data_gives_no_finding():
    found = checked()
    assert found.found == ()
    assert (found.subjects, found.judged, found.undecided, dict(found.unmatched)) == (1, 3, 0, {})
    assert [each.partition(":")[0] for each in found.absent] == ["DS"]


def test_a_visit_outside_its_window_shows_the_arithmetic():
    (found,) = checked(sv=swapped(0, SVSTDTC="2026-02-16", SVENDTC="2026-02-16", SVSTDY=-13)).found
    assert (found.rule, found.row, found.subject) == ("visit.window", 1, "1")
    assert "window 2026-02-08 to 2026-02-15, was 2026-02-16" in found.told


def test_a_window_in_hours_stays_undecided_on_a_date():
    found = checked(sv=swapped(3, SVSTDTC="2026-03-19", SVENDTC="2026-03-19", SVSTDY=19))
    assert (rules(found), found.undecided) == ([], 1)


def test_consents():
    assert rules(checked(dm=[("1", "Placebo", "", "2026-03-01", "")])) == ["consent.missing"]
    assert rules(checked(dm=[("1", "Placebo", "2026-02-16", "2026-03-01", "")])) == ["consent.late"]
    ds = table("DS", ("USUBJID", "DSDECOD", "DSSTDTC"), [("1", "INFORMED CONSENT OBTAINED", "2026-02-14")])
    assert rules(checked(dm=[("1", "Placebo", "", "2026-03-01", "")], DS=ds)) == []


def test_contradictions():
    assert rules(checked(dm=[*GOOD_DM, *GOOD_DM])) == ["contradiction.subject-twice"]
    assert rules(checked(dm=[("1", "Gold", "2026-02-14", "2026-03-01", "")])) == ["contradiction.arm"]
    assert rules(checked(dm=[("1", "Placebo", "2026-02-14", "2026-03-01", "2026-03-16")])) == [
        "contradiction.visit-after-death"
    ]
    assert rules(checked(sv=swapped(1, SVSTDY=0))) == ["contradiction.study-day"]
    assert rules(checked(sv=swapped(1, SVENDTC="2026-02-28"))) == ["contradiction.ends-before-start"]
    assert rules(checked(sv=[*GOOD_SV, GOOD_SV[1]])) == ["contradiction.visit-twice"]
    assert rules(checked(sv=[*GOOD_SV, ("2", "BASELINE", "2026-03-01", "2026-03-01", 1)])) == [
        "contradiction.no-such-subject"
    ]


def test_a_visit_that_the_protocol_does_not_have_is_named():
    assert checked(sv=[*GOOD_SV, ("1", "WEEK 99", "2026-03-20", "2026-03-20", 20)]).unmatched == {"WEEK 99": 1}


def test_findings_are_values():
    assert msgspec.json.encode(checked().found) == b"[]"
